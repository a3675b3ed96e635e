//! Sends a request until it is answered, or until sending again is not allowed.

use std::sync::Arc;

use tokio::time::Instant;
use tracing::{Instrument, Span};

use super::budget::{Budget, Limits};
use super::error::{Error, ErrorKind, Retry};
use super::failure::{Failure, refusal};
use super::meter::Meter;
use super::request::{Form, Request};
use super::transport::Transport;
use super::value::{Items, Value};
use super::waits::{Wait, Waits};

/// The answers to a request's commands, in order.
pub(super) type Answers = Vec<Result<Value, Error>>;

/// What every request of a handle is sent with.
pub(super) struct Delivery<'a> {
    pub(super) transport: &'a Transport,
    pub(super) meter: &'a Meter,
    pub(super) limits: Limits,
    pub(super) budget: Arc<Budget>,
}

impl Delivery<'_> {
    /// Sends `request` and, where that is safe and time allows, sends it again.
    ///
    /// Safe means: nothing of it was sent, or the server said that it did not take it, or every
    /// command of it is replay-safe. Waits and replays together take at most a fifth of the time
    /// left.
    pub(super) async fn send(&self, request: &Request) -> Result<Answers, Error> {
        let span = tracing::info_span!(
            "redis",
            transport = self.transport.name(),
            commands = request.titles(),
            key = request.key(),
            request_bytes = tracing::field::Empty,
            response_bytes = tracing::field::Empty,
            attempts = tracing::field::Empty,
            latency_ms = tracing::field::Empty,
        );
        let started = Instant::now();
        async {
            let result = self.send_in_span(request).await;
            let latency_ms = started.elapsed().as_secs_f64() * 1e3;
            Span::current().record("latency_ms", latency_ms);
            match &result {
                Ok(_) => tracing::debug!("answered"),
                Err(error) => tracing::debug!(kind = ?error.kind, "failed"),
            }
            result
        }
        .instrument(span)
        .await
    }

    async fn send_in_span(&self, request: &Request) -> Result<Answers, Error> {
        let replay_safe = request.replay_safe();

        let mut waits = Waits::new(self.budget.clone());
        let mut left = self.budget.left(Instant::now());
        let mut attempts = 0u32;
        let mut lost = false;
        if left.is_zero() {
            let message = format!("{request}: the time budget ran out before it was sent");
            return Err(Error::with(ErrorKind::Timeout, message, Retry::After(None)));
        }
        notice_closed_connections().await;
        loop {
            attempts += 1;
            Span::current().record("attempts", attempts);
            let limits = Limits {
                connect: self.limits.connect.min(left),
                answer: self.limits.answer.min(left),
                ..self.limits
            };
            let began = Instant::now();
            let outcome = self
                .transport
                .exchange(request, limits)
                .await
                .and_then(|answers| sole_refusal(request, answers));
            self.count(request, outcome.as_ref().err());
            let failure = match outcome {
                Ok(answer) => return items(request, answer),
                Err(failure) => failure,
            };
            let took = began.elapsed();
            let unreachable = !failure.sent();
            let lost_now = matches!(failure, Failure::Lost { .. });
            let error = failure.into_error(&request.to_string(), replay_safe, &request.commands);
            let error = if lost { after_a_lost_try(error) } else { error };
            lost |= lost_now;
            // Cut short while it connects, a try would leave open whether anything was sent.
            let hopeless = |wait: &Wait| unreachable && took >= wait.left;
            let Some(wait) = waits.next(error.retry).filter(|wait| !hopeless(wait)) else {
                return Err(error);
            };
            let wait_ms = wait.time.as_millis() as u64;
            tracing::warn!(attempts, wait_ms, %error, "sending again");
            wait.pass().await;
            left = wait.left;
        }
    }

    /// Puts one try on the meter.
    fn count(&self, request: &Request, failure: Option<&Failure>) {
        if failure.is_none_or(Failure::sent) {
            self.meter.round_trip();
        }
        if failure.is_none_or(Failure::executed) {
            self.meter.bill(request.billed());
        }
    }
}

/// Lets the tasks that own idle connections see which of them were closed: after a freeze nothing
/// has run yet that would have told them, and a request sent into a closed connection is ambiguous.
async fn notice_closed_connections() {
    // Once for the runtime to look at its sockets, once for the tasks that it wakes.
    for _ in 0..2 {
        tokio::task::yield_now().await;
    }
}

/// What a try that was not executed means when an earlier one may have been.
fn after_a_lost_try(error: Error) -> Error {
    match error.kind {
        ErrorKind::Unavailable | ErrorKind::RateLimited => Error {
            kind: ErrorKind::Ambiguous,
            message: format!("{}; an earlier try may have been executed", error.message),
            ..error
        },
        _ => error,
    }
}

/// A single command's error is the whole request's, which may be one that passes.
fn sole_refusal(request: &Request, answers: Items) -> Result<Items, Failure> {
    match (request.form, answers.as_slice()) {
        (Form::Single, [Err(line)]) => Err(Failure::Refused(line.clone())),
        _ => Ok(answers),
    }
}

/// Gives each item's error its place and its command's name.
fn items(request: &Request, answers: Items) -> Result<Answers, Error> {
    if answers.len() != request.commands.len() {
        let message = format!(
            "{request}: {} answers came back for {} commands",
            answers.len(),
            request.commands.len()
        );
        return Err(Error::never(ErrorKind::Protocol, message));
    }
    let typed = answers.into_iter().zip(&request.commands).enumerate();
    let typed = typed.map(|(index, (answer, command))| {
        answer.map_err(|line| {
            let title = match request.form {
                Form::Single => command.to_string(),
                Form::Pipeline => format!("pipeline item {index}, {command}"),
                Form::Transaction => format!("transaction item {index}, {command}"),
            };
            refusal(&line, &title, std::slice::from_ref(command))
        })
    });
    Ok(typed.collect())
}
