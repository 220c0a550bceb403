//! Asking many at once: each question is a task of its own, at most [`limits::MAX_FAN_OUT_CONCURRENCY`] run together, and
//! at the deadline whatever is left is given up. Every question is accounted for.

use std::time::Instant;

use futures_util::future::BoxFuture;
use tokio::task::JoinSet;

use crate::federation::Unavailable;
use crate::limits;

/// Runs all questions and gives their answers in the order of the questions: the answer, `TimedOut` for one that was not
/// there by `deadline`, `Internal` for one that panicked. Dropping this future gives everything up, too.
pub async fn ask_all<T: Send + 'static>(
    questions: Vec<BoxFuture<'static, T>>,
    deadline: Instant,
) -> Vec<Result<T, Unavailable>> {
    let mut answers: Vec<Result<T, Unavailable>> =
        questions.iter().map(|_| Err(Unavailable::TimedOut)).collect();
    let mut waiting = questions.into_iter().enumerate();
    let mut running = JoinSet::new();
    let mut places = std::collections::HashMap::new();
    // Questions end by themselves at the deadline, with a better reason; the grace lets those answers in.
    let end = tokio::time::sleep_until((deadline + limits::FAN_OUT_GRACE).into());
    tokio::pin!(end);
    loop {
        while running.len() < limits::MAX_FAN_OUT_CONCURRENCY
            && let Some((place, question)) = waiting.next()
        {
            let task = running.spawn(async move { (place, question.await) });
            places.insert(task.id(), place);
        }
        let done = tokio::select! {
            biased;
            done = running.join_next() => done,
            () = &mut end => break,
        };
        match done {
            None => break,
            Some(Ok((place, answer))) => set(&mut answers, place, Ok(answer)),
            Some(Err(broken)) => {
                if let Some(place) = places.get(&broken.id()) {
                    tracing::error!("a question to a community panicked");
                    set(&mut answers, *place, Err(Unavailable::Internal));
                }
            }
        }
    }
    running.abort_all();
    answers
}

fn set<T>(answers: &mut [T], place: usize, answer: T) {
    if let Some(slot) = answers.get_mut(place) {
        *slot = answer;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Duration;

    #[tokio::test]
    async fn every_question_is_accounted_for_in_its_place() {
        let alive = Arc::new(());
        let held = Arc::clone(&alive);
        let questions: Vec<BoxFuture<'static, u32>> = vec![
            Box::pin(async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                1
            }),
            Box::pin(async move {
                let _held = held;
                std::future::pending::<()>().await;
                2
            }),
            Box::pin(async { panic!("a defect") }),
            Box::pin(async { 4 }),
        ];
        let answers = ask_all(questions, Instant::now() + Duration::from_millis(500)).await;
        assert_eq!(answers, [Ok(1), Err(Unavailable::TimedOut), Err(Unavailable::Internal), Ok(4)]);
        while Arc::strong_count(&alive) > 1 {
            // Ends only because the silent question is dropped.
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn more_questions_than_may_run_at_once_all_get_their_turn() {
        let many = 3 * limits::MAX_FAN_OUT_CONCURRENCY;
        let questions = (0..many).map(|n| Box::pin(async move { n }) as BoxFuture<'static, usize>).collect();
        let answers = ask_all(questions, Instant::now() + Duration::from_secs(5)).await;
        assert!(answers.iter().enumerate().all(|(n, answer)| *answer == Ok(n)));
    }
}
