//! Who is let in to the page. Everybody is, so that whoever holds connections open and says nothing keeps nobody else from
//! asking how it stands; and nobody is sent away who has asked.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::AbortHandle;

/// So many are in at a time.
const MOST: usize = 64;

/// Those who are in, in the order in which they came.
pub struct Callers {
    inside: VecDeque<(AbortHandle, Arc<Said>)>,
    places: Arc<Semaphore>,
    silence: Arc<Notify>,
}

/// One who is in, for as long as he is kept.
pub struct Caller {
    said: Arc<Said>,
    _place: OwnedSemaphorePermit,
}

/// What somebody has said.
#[derive(Debug, Default)]
struct Said {
    /// All of his request.
    asked: AtomicBool,
    /// All that he has sent is read, and more is waited for.
    awaited: AtomicBool,
    silence: Arc<Notify>,
}

impl Default for Callers {
    fn default() -> Self {
        Self { inside: VecDeque::new(), places: Arc::new(Semaphore::new(MOST)), silence: Arc::default() }
    }
}

impl Callers {
    /// One more. If they are too many, the one goes who came first of those who are silent; while all are being answered, it is
    /// waited until one of them is done.
    pub async fn let_in<F>(&mut self, converse: impl FnOnce(Caller) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let place = self.place().await;
        let said = Arc::new(Said { silence: Arc::clone(&self.silence), ..Said::default() });
        let task = tokio::spawn(converse(Caller { said: Arc::clone(&said), _place: place }));
        self.inside.push_back((task.abort_handle(), said));
    }

    async fn place(&mut self) -> OwnedSemaphorePermit {
        self.inside.retain(|(task, _)| !task.is_finished());
        let mut is_coming = self.places.available_permits() > 0;
        loop {
            is_coming = is_coming || self.send_silent_away();
            tokio::select! {
                biased;
                Ok(place) = Arc::clone(&self.places).acquire_owned() => return place,
                () = self.silence.notified(), if !is_coming => (),
            }
        }
    }

    /// Whether there was such a one, who now gives his place back.
    fn send_silent_away(&mut self) -> bool {
        let silent = self.inside.iter().position(|(_, said)| said.is_silent());
        let silent = silent.and_then(|silent| self.inside.remove(silent));
        silent.is_some_and(|(task, _)| {
            task.abort();
            true
        })
    }
}

impl Said {
    /// Nothing of his request is there that has not been read, and it is not whole. Of one who has just come nobody knows.
    fn is_silent(&self) -> bool {
        self.awaited.load(Ordering::Relaxed) && !self.asked.load(Ordering::Relaxed)
    }

    fn is_awaited(&self, awaited: bool) {
        self.awaited.store(awaited, Ordering::Relaxed);
        if self.is_silent() {
            self.silence.notify_one();
        }
    }
}

impl Caller {
    /// His request is whole: he is answered.
    pub fn has_asked(&self) {
        self.said.asked.store(true, Ordering::Relaxed);
    }

    /// His connection.
    pub fn hear(&self, stream: TcpStream) -> Heard {
        Heard { stream, said: Arc::clone(&self.said) }
    }
}

/// A connection that notes whether more is waited for.
pub struct Heard {
    stream: TcpStream,
    said: Arc<Said>,
}

impl AsyncRead for Heard {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.said.is_awaited(read.is_pending());
        read
    }
}

impl AsyncWrite for Heard {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use futures::poll;
    use tokio::sync::oneshot;

    use super::*;

    /// Those who are in, by number: dropped once they are gone.
    type Inside = Arc<Mutex<Vec<usize>>>;

    struct Stay(Inside, usize);

    impl Drop for Stay {
        fn drop(&mut self) {
            self.0.lock().unwrap().retain(|number| *number != self.1);
        }
    }

    /// Comes, does this at once, and stays.
    async fn comes(callers: &mut Callers, inside: &Inside, number: usize, does: fn(&Caller)) {
        let stay = Stay(Arc::clone(inside), number);
        inside.lock().unwrap().push(number);
        let stays = |caller: Caller| async move {
            does(&caller);
            std::future::pending::<()>().await;
            drop((caller, stay));
        };
        callers.let_in(stays).await;
    }

    fn asks(caller: &Caller) {
        caller.has_asked();
        caller.said.is_awaited(true); // Whether he goes away is waited for while he is answered.
    }

    fn is_silent(caller: &Caller) {
        caller.said.is_awaited(true);
    }

    #[tokio::test]
    async fn of_too_many_the_first_silent_one_goes_and_nobody_who_has_asked_or_has_just_come() {
        let (mut callers, inside) = (Callers::default(), Inside::default());
        for number in 0..MOST {
            comes(&mut callers, &inside, number, if number % 2 == 0 { asks } else { is_silent }).await;
        }
        for number in MOST..MOST + 3 {
            comes(&mut callers, &inside, number, asks).await;
        }
        let gone: Vec<_> = (0..MOST + 3).filter(|number| !inside.lock().unwrap().contains(number)).collect();
        assert_eq!(gone, [1, 3, 5]);
    }

    /// All places but that of the first are taken by those who are being answered.
    async fn fills_up(callers: &mut Callers, inside: &Inside) {
        for number in 1..MOST {
            comes(callers, inside, number, asks).await;
        }
        tokio::task::yield_now().await;
    }

    #[tokio::test]
    async fn while_all_are_being_answered_one_more_waits_until_one_of_them_is_done_or_turns_out_to_be_silent() {
        let (mut callers, inside) = (Callers::default(), Inside::default());
        let (done, is_done) = oneshot::channel::<()>();
        callers
            .let_in(|caller| async move {
                asks(&caller);
                is_done.await.unwrap();
            })
            .await;
        fills_up(&mut callers, &inside).await;
        let mut waits = Box::pin(comes(&mut callers, &inside, MOST, asks));
        assert!(poll!(&mut waits).is_pending());
        done.send(()).unwrap();
        waits.await;
        let (silence, falls_silent) = oneshot::channel::<()>();
        let (mut callers, inside) = (Callers::default(), Inside::default());
        callers
            .let_in(|caller| async move {
                falls_silent.await.unwrap();
                is_silent(&caller);
                std::future::pending::<()>().await;
            })
            .await;
        fills_up(&mut callers, &inside).await;
        let mut waits = Box::pin(comes(&mut callers, &inside, MOST, asks));
        assert!(poll!(&mut waits).is_pending());
        silence.send(()).unwrap();
        waits.await;
        assert_eq!(inside.lock().unwrap().len(), MOST);
    }
}
