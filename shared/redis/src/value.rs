//! Describes what Redis answers.

/// One answer, exactly as Redis gave it: no guessing of JSON, no rounding of integers.
///
/// ```
/// use batchmq_redis::Value;
///
/// let text = Value::Bytes(b"7".to_vec());
/// assert_eq!((text.as_str(), text.as_bytes(), text.as_int()), (Some("7"), Some(&b"7"[..]), None));
/// let list = Value::Array(vec![Value::Int(7), Value::Nil]);
/// assert!(list.as_array().is_some_and(|items| items[0].as_int() == Some(7) && items[1].is_nil()));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// Null.
    Nil,
    /// An integer.
    Int(i64),
    /// A string (bulk or status), as bytes.
    Bytes(Vec<u8>),
    /// An array.
    Array(Vec<Value>),
}

/// What came back, one for each command: its value, or the text of its error, code first.
pub(super) type Items = Vec<Result<Value, String>>;

impl Value {
    /// Whether it is null.
    pub fn is_nil(&self) -> bool {
        *self == Self::Nil
    }

    /// The integer, if it is one.
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(n) => Some(*n),
            _ => None,
        }
    }

    /// The bytes, if it is a string.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text, if it is a string of valid UTF-8.
    pub fn as_str(&self) -> Option<&str> {
        self.as_bytes().and_then(|bytes| std::str::from_utf8(bytes).ok())
    }

    /// The elements, if it is an array.
    pub fn as_array(&self) -> Option<&[Value]> {
        match self {
            Self::Array(items) => Some(items),
            _ => None,
        }
    }
}
