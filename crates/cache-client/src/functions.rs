//! Libraries of functions.

use bytes::Bytes;

/// A library of functions, as a server keeps it (Redis 7.0 and later).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct FunctionLibrary {
    /// How it is called: what its first line says (`#!lua name=NAME`).
    pub name: String,
    /// Its source, to the byte as it was loaded.
    pub code: Bytes,
}

impl FunctionLibrary {
    /// Makes one of its source; `None` where the first line says no name, which no server loads.
    #[must_use]
    pub fn of_code(code: impl Into<Bytes>) -> Option<Self> {
        let code = code.into();
        let first_line = code.split(|byte| *byte == b'\n').next()?.strip_prefix(b"#!")?;
        let mut words = first_line.split(u8::is_ascii_whitespace);
        let name = words.find_map(|word| word.strip_prefix(b"name="))?;
        Some(Self { name: String::from_utf8_lossy(name).into_owned(), code })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_says_the_name() {
        for (code, name) in [
            ("#!lua name=mine\nreturn 1", Some("mine")),
            ("#!lua   name=mine", Some("mine")),
            ("#!js x=1 name=a_b\r\n", Some("a_b")),
            ("#!lua\nname=late", None),
            ("return 1", None),
            ("", None),
        ] {
            let library = FunctionLibrary::of_code(code);
            assert_eq!(library.map(|library| library.name).as_deref(), name, "{code}");
        }
    }
}
