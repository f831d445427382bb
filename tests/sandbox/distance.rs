//! A network in between: whatever is sent arrives so much later, in both directions, the words of TCP and TLS too.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// The timer counts whole milliseconds, and rounds up.
const LATE: Duration = Duration::from_millis(1);
/// As much as is read at once.
const CHUNK: usize = 16 * 1024;

/// Makes an address that leads to `near`, `away` from there: half a round trip. It is served until the task is ended.
pub async fn to(near: SocketAddr, away: Duration) -> std::io::Result<(SocketAddr, JoinHandle<()>)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let far = listener.local_addr()?;
    let task = tokio::spawn(async move {
        loop {
            let Ok((stream, _)) = listener.accept().await else { continue };
            tokio::spawn(relay(stream, near, away.saturating_sub(LATE)));
        }
    });
    Ok((far, task))
}

/// Both directions of one connection, until either side has had enough.
async fn relay(client: TcpStream, near: SocketAddr, away: Duration) -> std::io::Result<()> {
    let began = Instant::now();
    let server = TcpStream::connect(near).await?;
    client.set_nodelay(true)?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    // On loopback the client holds its connection at once. On this network it would for one round trip only have asked for it.
    let stands = began + 2 * away;
    tokio::try_join!(carry(from_client, to_server, away, stands), carry(from_server, to_client, away, stands))?;
    Ok(())
}

/// One direction: what is read now is written `away` later, and nothing before the connection would stand.
async fn carry(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    away: Duration,
    stands: Instant,
) -> std::io::Result<()> {
    let (sender, mut on_the_way) = mpsc::unbounded_channel::<(Instant, Vec<u8>)>();
    let send = async move {
        loop {
            let mut chunk = vec![0; CHUNK];
            let length = from.read(&mut chunk).await?;
            chunk.truncate(length);
            let arrives = Instant::now().max(stands) + away;
            if sender.send((arrives, chunk)).is_err() || length == 0 {
                return Ok::<(), std::io::Error>(());
            }
        }
    };
    let arrive = async move {
        while let Some((arrives, chunk)) = on_the_way.recv().await {
            tokio::time::sleep_until(arrives).await;
            match chunk.as_slice() {
                [] => to.shutdown().await?,
                bytes => to.write_all(bytes).await?,
            }
        }
        Ok(())
    };
    tokio::try_join!(send, arrive).map(drop)
}
