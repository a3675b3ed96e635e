//! What a month costs: [`Workload`] and [`Figures`] make a [`Day`], thirty of them and [`Prices`] a [`Bill`],
//! line by line, each with its formula.

mod bill;
mod day;
mod figures;
mod measure;
mod prices;
#[cfg(test)]
mod workloads;

pub(crate) use bill::number;
pub use bill::{Bill, LEFT_OUT, Line, OnFixedPlan, ours, worker};
pub use day::{Day, Workload};
pub use figures::{Figures, Once, Worker};
pub(crate) use measure::measure;
pub use prices::{
    ApiGateway, CloudWatch, Fixed, Lambda, Machine, Neon, Prices, SecretsManager, Upstash,
};
