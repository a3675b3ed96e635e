//! Finds out what the queues of a tick hold, for as few commands as can be.

use std::sync::{Mutex, PoisonError};

use batchmq::{Error, Occupied, Queue};

use crate::line::Line;

/// What was found in a queue.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Seen {
    pub(crate) occupied: Occupied,
    /// Whether a delayed job has fallen due, where that was asked.
    pub(crate) is_due: Option<bool>,
    /// Whether nobody has looked: jobs should wait, as whoever woke the tick knows.
    pub(crate) is_told: bool,
}

impl Seen {
    /// Nothing was looked at, and jobs should wait.
    pub(crate) const TOLD: Self = Self {
        occupied: Occupied {
            wait: true,
            paused: false,
            prioritized: false,
            delayed: false,
            active: false,
            schedulers: false,
        },
        is_due: None,
        is_told: true,
    };

    fn of(occupied: Occupied) -> Self {
        Self { occupied, ..Self::default() }
    }
}

/// What a process remembers of a queue between ticks: a guess where to look first, never a fact.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Occupied>);

impl Memory {
    fn get(&self) -> Occupied {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, occupied: Occupied) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = occupied;
    }
}

/// Looks into the queues of `lines`, of each of which `memories` holds what was there a tick ago.
///
/// One queue takes one command. Several take one while all are empty: it counts their keys. What is
/// counted is then looked for first where something was before, one command a queue; once
/// all of it is found to be for later, the others are known to be empty. Where there is work all are
/// looked into: others may work there, and what they change meanwhile makes the sum wrong.
pub(crate) async fn look(lines: &[Line<'_>], memories: &[&Memory]) -> Result<Vec<Seen>, Error> {
    let mut seen = vec![Seen::default(); lines.len()];
    let [first, _, ..] = lines else {
        for (line, seen) in lines.iter().zip(&mut seen) {
            seen.occupied = line.queue.peek().await?;
        }
        return Ok(seen);
    };
    let queues: Vec<&Queue> = lines.iter().map(|line| &line.queue).collect();
    let keys = first.queue.count_keys(&queues).await?;
    let mut left = keys;
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.sort_by_key(|place| memories[*place].get() == Occupied::default());
    // Where only the future was, its first job tells whether it still is.
    let mut guessed = Vec::new();
    let mut is_quiet = true;
    for place in order {
        if left == 0 && is_quiet {
            break;
        }
        let line = &lines[place];
        let before = memories[place].get();
        if before.is_future()
            && !before.schedulers
            // What is wrong with a queue's keys is told when it is worked on.
            && let Ok(Some(due)) = line.queue.next_due_ms().await
        {
            let is_due = due <= line.clock.now_ms();
            seen[place] = Seen { is_due: Some(is_due), ..Seen::of(before) };
            is_quiet &= !is_due;
            left = left.saturating_sub(1);
            guessed.push(place);
            continue;
        }
        let occupied = line.queue.peek().await?;
        seen[place] = Seen::of(occupied);
        left = left.saturating_sub(occupied.keys());
        is_quiet &= occupied.is_empty() || occupied.is_future();
    }
    if left > 0 || !is_quiet {
        // More keys than were found: they are of the queues that were only guessed at.
        for place in guessed {
            seen[place] = Seen::of(lines[place].queue.peek().await?);
        }
    }
    for (memory, seen) in memories.iter().zip(&seen) {
        memory.set(seen.occupied);
    }
    Ok(seen)
}
