//! What the project expects of Redis: one suite, run unchanged over the Redis protocol and over
//! both forms of the REST API, each time in front of a real server.
mod bench;
mod commands;
mod errors;
mod limits;
mod meter;
mod same_answers;
mod scripts;
mod several;
mod values;

/// Runs the cases `module::case`, functions of a [`bench::Bench`], over each transport.
macro_rules! conformance {
    ($($module:ident::$case:ident,)*) => {
        conformance!(@over tcp, Bench::tcp(), [$($module::$case,)*]);
        conformance!(@over rest_json, Bench::rest(RestAnswers::Json), [$($module::$case,)*]);
        conformance!(@over rest_resp2, Bench::rest(RestAnswers::Resp2), [$($module::$case,)*]);
    };
    (@over $transport:ident, $bench:expr, [$($module:ident::$case:ident,)*]) => {
        mod $transport {
            #[allow(unused_imports, reason = "one transport needs no form of answers")]
            use shared::redis::RestAnswers;

            use crate::conformance::bench::Bench;

            $(#[tokio::test]
            async fn $case() {
                crate::conformance::$module::$case($bench.await).await;
            })*
        }
    };
}

conformance! {
    commands::the_commands_of_the_project,
    errors::a_wrong_password_or_token_is_refused,
    errors::errors_keep_their_codes,
    errors::one_that_may_only_read_is_told_so,
    limits::a_full_server_refuses_writes,
    limits::a_replica_refuses_writes,
    limits::a_request_over_ten_megabytes_is_refused_over_rest,
    limits::long_values_and_long_pipelines,
    meter::an_empty_tick_executes_one_command,
    meter::handles_have_their_own_meters,
    meter::the_meter_counts_what_redis_executes,
    scripts::a_script_is_loaded_once,
    scripts::a_script_refuses_with_its_own_code,
    scripts::a_script_that_does_not_count_is_a_mistake,
    scripts::a_script_that_fails_midway_says_so,
    several::a_pipeline_goes_on_after_an_error,
    several::a_transaction_has_all_its_answers,
    several::a_transaction_is_discarded_as_a_whole,
    several::callers_get_their_own_answers,
    several::nothing_is_sent_for_no_commands,
    values::a_writer_reads_its_writes,
    values::arrays_are_nested,
    values::integers_are_exact,
    values::nothing_is_nil,
    values::strings_have_any_bytes,
}
