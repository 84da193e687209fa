//! Futures that are looked at by hand.

use core::future::Future;
use core::pin::{Pin, pin};
use core::task::{Context, Poll, Waker};

/// Ready at the second look.
#[derive(Debug, Default)]
pub(crate) struct Pause(bool);

impl Future for Pause {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if core::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Runs a future to its end; answers how often it was pending.
pub(crate) fn finish<T>(future: impl Future<Output = T>) -> (T, usize) {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    for pauses in 0.. {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return (value, pauses);
        }
    }
    unreachable!("a future that is never ready does not get here")
}
