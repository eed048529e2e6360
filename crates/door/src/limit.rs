//! Waiting no longer than a limit.

use std::{
    future::poll_fn,
    pin::pin,
    task::Poll::{self, Ready},
};

/// The result of `work`; `None` if `limit` is over before. Work that is done at once costs no timer.
pub async fn within<T>(
    limit: impl Future<Output = ()>,
    work: impl Future<Output = T>,
) -> Option<T> {
    let (mut limit, mut work) = (pin!(limit), pin!(work));
    poll_fn(|context| -> Poll<Option<T>> {
        if let Ready(done) = work.as_mut().poll(context) {
            return Ready(Some(done));
        }
        limit.as_mut().poll(context).map(|()| None)
    })
    .await
}

#[cfg(test)]
mod tests {
    use std::{
        future::{pending, ready},
        time::Duration,
    };

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_is_waited_for_until_its_limit_and_no_longer() {
        let sleep = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
        assert_eq!(within(pending(), ready(1)).await, Some(1));
        assert_eq!(within(ready(()), ready(1)).await, Some(1));
        let late = async { sleep(2).await };
        assert_eq!(within(sleep(3), late).await, Some(()));
        let later = async { sleep(4).await };
        assert_eq!(within(sleep(3), later).await, None);
    }
}
