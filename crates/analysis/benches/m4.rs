//! Forecasts of the M4 competition's hourly series H1 to H207, against the methods that its organisers measured others by.
//!
//! ```text
//! LARDER_CORPORA=… cargo bench -p larder-analysis --bench m4
//! ```
#![expect(clippy::print_stdout, reason = "a bench prints what it measured")]

#[path = "../tests/it/m4/mod.rs"]
mod m4;

fn main() {
    let Some(all) = m4::series() else {
        println!("skipped: LARDER_CORPORA does not lead to the series of M4");
        return;
    };
    let naive_2 = m4::naive_2(&all);
    let ours = m4::ours(&all);
    println!("{} series, the last 48 hours of each held out, on one core", all.len());
    println!("{}", m4::HEAD);
    println!("{}", naive_2.line("Naive 2", &naive_2));
    println!("{}", m4::seasonal_naive(&all).line("seasonal naive", &naive_2));
    println!("{}", ours.line("larder", &naive_2));
}
