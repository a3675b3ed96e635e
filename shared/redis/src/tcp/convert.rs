//! Converts between our types and the `redis` crate's.

use redis::{ServerError, Value as Resp};

use crate::error::ErrorKind;
use crate::failure::Failure;
use crate::request::{Form, Request};
use crate::value::{Items, Value};

/// The request's commands, with MULTI and EXEC around a transaction's.
pub(super) fn pipeline(request: &Request) -> redis::Pipeline {
    let mut pipeline = redis::Pipeline::with_capacity(request.commands.len() + 2);
    let framed = request.form == Form::Transaction;
    if framed {
        pipeline.cmd("MULTI");
    }
    for command in &request.commands {
        let mut cmd = redis::Cmd::new();
        for arg in &command.args {
            cmd.arg(arg.as_slice());
        }
        pipeline.add_command(cmd);
    }
    if framed {
        pipeline.cmd("EXEC");
    }
    pipeline
}

/// One reply: its value, or the text of its error.
pub(super) fn item(reply: Resp) -> Result<Result<Value, String>, Failure> {
    match reply {
        Resp::ServerError(error) => Ok(Err(text(&error))),
        Resp::Array(replies) => {
            let mut values = Vec::with_capacity(replies.len());
            for reply in replies {
                match item(reply)? {
                    Ok(value) => values.push(value),
                    // An error inside an array has no place in a value: it is the item's.
                    Err(line) => return Ok(Err(line)),
                }
            }
            Ok(Ok(Value::Array(values)))
        }
        Resp::Nil => Ok(Ok(Value::Nil)),
        Resp::Int(n) => Ok(Ok(Value::Int(n))),
        Resp::BulkString(bytes) => Ok(Ok(Value::Bytes(bytes))),
        Resp::SimpleString(text) => Ok(Ok(Value::Bytes(text.into_bytes()))),
        Resp::Okay => Ok(Ok(Value::Bytes(b"OK".to_vec()))),
        _ => Err(Failure::Final {
            kind: ErrorKind::Protocol,
            reason: "the answer is not of the second version of the Redis protocol".into(),
        }),
    }
}

/// A transaction's items, from the replies to MULTI, the queued commands and EXEC.
pub(super) fn executed(mut replies: Vec<Resp>) -> Result<Items, Failure> {
    let exec = replies.pop();
    if let Some(Resp::ServerError(error)) = replies.first() {
        return Err(Failure::Refused(text(error)));
    }
    match exec {
        Some(Resp::Array(replies)) => replies.into_iter().map(item).collect(),
        Some(Resp::ServerError(error)) => Err(Failure::Refused(text(&error))),
        _ => Err(Failure::Final {
            kind: ErrorKind::Protocol,
            reason: "EXEC was not answered with an array".into(),
        }),
    }
}

/// An error's text, code first.
fn text(error: &ServerError) -> String {
    match error.details() {
        Some(details) => format!("{} {details}", error.code()),
        None => error.code().to_owned(),
    }
}

/// What broke a connection.
pub(super) fn io_reason(error: &redis::RedisError) -> String {
    if error.is_io_error() { error.to_string() } else { error.category().to_owned() }
}

/// How many bytes a request takes on the wire.
pub(super) fn sent_len(request: &Request) -> usize {
    let frame = match request.form {
        Form::Transaction => b"*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC\r\n".len(),
        Form::Single | Form::Pipeline => 0,
    };
    let commands = request.commands.iter().map(|command| {
        let args = command.args.iter().map(|arg| bulk_len(arg.len()));
        3 + digits(command.args.len() as i64) + args.sum::<usize>()
    });
    frame + commands.sum::<usize>()
}

/// How many bytes replies take on the wire.
pub(super) fn resp_len(replies: &[Resp]) -> usize {
    replies.iter().map(reply_len).sum()
}

fn reply_len(reply: &Resp) -> usize {
    // Beside what it says: a type byte and a line end.
    match reply {
        Resp::Int(n) => 3 + digits(*n),
        Resp::BulkString(bytes) => bulk_len(bytes.len()),
        Resp::SimpleString(text) => 3 + text.len(),
        Resp::Array(replies) => 3 + digits(replies.len() as i64) + resp_len(replies),
        Resp::ServerError(error) => 3 + text(error).len(),
        // `$-1` and `+OK`.
        _ => 5,
    }
}

fn digits(n: i64) -> usize {
    let sign = usize::from(n < 0);
    sign + n.unsigned_abs().checked_ilog10().map_or(1, |log| log as usize + 1)
}

/// A bulk string of `len` bytes with its length line.
fn bulk_len(len: usize) -> usize {
    5 + digits(len as i64) + len
}
