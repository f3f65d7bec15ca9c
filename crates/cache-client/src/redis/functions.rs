//! The answer to FUNCTION LIST WITHCODE.

use bytes::Bytes;
use redis::{FromRedisValue, Value};

use crate::FunctionLibrary;

/// Reads it: of each library a list, or a map, of names and values, two of which are `library_name` and `library_code`
/// (Redis 7.0 `src/functions.c`, `functionListCommand`).
pub(super) fn libraries(answer: Value) -> Vec<FunctionLibrary> {
    let Value::Array(libraries) = answer else { return Vec::new() };
    libraries.into_iter().filter_map(library).collect()
}

fn library(answer: Value) -> Option<FunctionLibrary> {
    let pairs: Vec<(Value, Value)> = match answer {
        Value::Map(pairs) => pairs,
        Value::Array(items) => {
            let mut items = items.into_iter();
            std::iter::from_fn(|| Some((items.next()?, items.next()?))).collect()
        }
        _ => return None,
    };
    let (mut library_name, mut code) = (None, None);
    for (name, value) in pairs {
        match String::from_redis_value(name).ok()?.as_str() {
            "library_name" => library_name = String::from_redis_value(value).ok(),
            "library_code" => code = Vec::from_redis_value(value).ok().map(Bytes::from),
            _ => {}
        }
    }
    Some(FunctionLibrary { name: library_name?, code: code? })
}
