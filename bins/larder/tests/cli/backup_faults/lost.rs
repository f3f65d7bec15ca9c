//! The server, or the way to it, is lost while its image is taken.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use anyhow::{Result, ensure};
use larder_test_support::seed;

use super::{Kept, at_the_moment, one_program, started, two_programs};

#[test]
fn a_server_that_is_killed_while_its_image_is_taken() -> Result<()> {
    for program in two_programs() {
        let mut kept = Kept::start(&program, 20_000)?;
        kept.save_slowly(300)?;
        let child = started(&kept.larder, &["backup", "create", "--rate", "max"])?;
        let run = {
            let server = std::cell::RefCell::new(&mut kept.server);
            at_the_moment(
                child,
                "an image",
                || Ok(server.borrow().info("rdb_bgsave_in_progress")?.is_some_and(|flag| flag == "1")),
                |_| server.borrow_mut().kill(),
            )?
        };
        ensure!(run.code == 1, "{run:#?}");
        run.says("error: the cache cannot be worked on")?;
        run.says(kept.server.node().as_str())?;
        kept.holds_nothing()?;
        kept.server.restart()?;
        seed(&mut kept.server.admin()?, 500)?;
        kept.verify(&kept.create()?)?;
    }
    Ok(())
}

/// Passes bytes between clients and a server, and cuts every connection once so many came from the server.
struct Proxy {
    port: u16,
    left: Arc<AtomicUsize>,
}

impl Proxy {
    fn to(port: u16, bytes: usize) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let left = Arc::new(AtomicUsize::new(bytes));
        let proxy = Self { port: listener.local_addr()?.port(), left: Arc::clone(&left) };
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)) else { continue };
                let unlimited = Arc::new(AtomicUsize::new(usize::MAX));
                for (from, to, left) in [(&client, &server, unlimited), (&server, &client, Arc::clone(&left))]
                {
                    if let (Ok(from), Ok(to)) = (from.try_clone(), to.try_clone()) {
                        thread::spawn(move || pass(from, to, &left));
                    }
                }
            }
        });
        Ok(proxy)
    }

    fn heal(&self) {
        self.left.store(usize::MAX, Ordering::SeqCst);
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, left: &AtomicUsize) {
    let mut bytes = [0; 4096];
    while let Ok(length) = from.read(&mut bytes)
        && length > 0
    {
        let taken = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(length));
        if taken.is_err() || to.write_all(&bytes[..length]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}

#[test]
fn a_connection_that_is_cut_while_an_image_comes() -> Result<()> {
    for program in two_programs() {
        let kept = Kept::start(&program, 20_000)?;
        let proxy = Proxy::to(kept.server.port(), 300_000)?;
        let url = format!("redis://127.0.0.1:{}", proxy.port);
        for source in ["replication", "keys"] {
            let words = ["--cache", &url, "backup", "create", "--rate", "max", "--source", source];
            let run = kept.larder.ends(1, &words)?;
            run.says("error: ")?;
            kept.holds_nothing()?;
            proxy.left.store(300_000, Ordering::SeqCst);
        }
        proxy.heal();
        kept.larder.ends(0, &["--cache", &url, "backup", "create", "--rate", "max"])?;
        ensure!(kept.sound()?.len() == 1);
    }
    Ok(())
}

#[test]
fn a_cache_that_is_not_there() -> Result<()> {
    let mut kept = Kept::start(&one_program(), 10)?;
    kept.server.kill()?;
    kept.larder.ends(1, &["backup", "create"])?.says("is the server running")?;
    kept.holds_nothing()
}
