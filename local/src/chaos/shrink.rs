//! Cuts a set of faults that fails to a small part that still does.

/// Takes away from `all`, which fails, whatever can be taken away so that the rest still fails: halves first, then
/// quarters, at last one by one (Zeller's ddmin without its complements, since faults are few). `fails` is
/// asked seldom: each time is a run.
///
/// # Errors
/// The first error of `fails`.
pub(super) async fn shrink<T: Copy, E>(
    all: &[T],
    mut fails: impl AsyncFnMut(&[T]) -> Result<bool, E>,
) -> Result<Vec<T>, E> {
    let mut left = all.to_vec();
    let mut size = left.len() / 2;
    while size > 0 {
        let mut from = 0;
        while from < left.len() && left.len() > 1 {
            let to = (from + size).min(left.len());
            let rest: Vec<T> = [&left[..from], &left[to..]].concat();
            if !rest.is_empty() && fails(&rest).await? {
                left = rest;
            } else {
                from = to;
            }
        }
        size /= 2;
    }
    Ok(left)
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    async fn shrunk(all: &[u8], needed: &[u8]) -> (Vec<u8>, usize) {
        let mut asked = 0;
        let fails = async |rest: &[u8]| {
            asked += 1;
            Ok::<_, Infallible>(needed.iter().all(|one| rest.contains(one)))
        };
        let Ok(left) = shrink(all, fails).await;
        (left, asked)
    }

    #[tokio::test]
    async fn what_is_needed_is_left_and_nothing_else() {
        let all: Vec<u8> = (0..32).collect();
        for needed in [&[7][..], &[0, 31], &[3, 4, 20], &[31]] {
            let (left, asked) = shrunk(&all, needed).await;
            assert_eq!(left, needed);
            assert!(asked <= 64, "{asked} runs for {needed:?}");
        }
        assert_eq!(shrunk(&[5], &[5]).await.0, [5]);
    }
}
