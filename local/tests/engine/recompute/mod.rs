//! Whole ticks against a real Redis and a real Postgres: what they do, what they cost, and that
//! nothing is lost or doubled when something dies under them.

mod budget;
mod busy;
mod cheap;
mod deadlines;
mod faults;
mod hostile;
mod invariants;
mod limits;
mod order;
mod outages;
mod schedules;
mod slow;
mod slowness;
mod storm;
mod thrift;
mod ticks;
mod traces;
mod world;
