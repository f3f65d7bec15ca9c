//! What COMMAND answers, taken apart.

use std::collections::HashMap;

use redis::{FromRedisValue, Value};

pub(super) fn fields(value: Value) -> HashMap<String, Value> {
    let pairs: Vec<(Value, Value)> = match value {
        Value::Map(pairs) => pairs,
        list => {
            let mut list = items(list).into_iter();
            std::iter::from_fn(|| Some((list.next()?, list.next()?))).collect()
        }
    };
    pairs.into_iter().filter_map(|(name, value)| Some((text(name)?, value))).collect()
}

pub(super) fn items(value: Value) -> Vec<Value> {
    match value {
        Value::Array(items) | Value::Set(items) => items,
        _ => Vec::new(),
    }
}

pub(super) fn text(value: Value) -> Option<String> {
    String::from_redis_value(value).ok()
}

pub(super) fn number(value: Value) -> Option<i64> {
    i64::from_redis_value(value).ok()
}

pub(super) fn place(value: Value) -> Option<usize> {
    number(value).and_then(|number| usize::try_from(number).ok())
}
