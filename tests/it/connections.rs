//! Connections and bearers as the years treat them: old TLS, lines that a machine on the way has forgotten, bearers that end.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use chrono::TimeDelta;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::place::{OVERLAP, PATIENCE, Place, SPEED, hourly, is_at_rest_with_newer, only};
use crate::sandbox::setup::worlds;
use crate::world::{Op, Service};

/// What a server that speaks no TLS of today says to a hello.
#[derive(Clone, Copy)]
enum Old {
    /// That it speaks no such version.
    Alert,
    /// That TLS 1.1 it is to be.
    ServerHello,
}

impl Old {
    fn words(self) -> Vec<u8> {
        match self {
            Self::Alert => vec![21, 3, 1, 0, 2, 2, 70],
            Self::ServerHello => {
                // The version, 32 random bytes, no session, a cipher of those days, no compression.
                let body = [&[3, 2][..], &[7; 32], &[0, 0xc0, 0x13, 0]].concat();
                let length = |length: usize| u8::try_from(length).expect("a short one");
                let message = [&[2, 0, 0, length(body.len())][..], &body].concat();
                [&[22, 3, 2, 0, length(message.len())][..], &message].concat()
            }
        }
    }
}

/// The versions of TLS that each hello has offered.
type Offered = Arc<Mutex<Vec<Vec<u16>>>>;

/// A server of former times.
async fn old(manner: Old) -> (SocketAddr, Offered) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let (address, offered) = (listener.local_addr().expect("an address"), Offered::default());
    let seen = Arc::clone(&offered);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            // The doctor hangs up as soon as a connection stands.
            let Ok(hello) = hello(&mut stream).await else { continue };
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(versions(&hello));
            let _gone = stream.write_all(&manner.words()).await;
            let _more = stream.read_to_end(&mut Vec::new()).await;
        }
    });
    (address, offered)
}

/// The first record that a client sends, without its head.
async fn hello(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut head = [0; 5];
    stream.read_exact(&mut head).await?;
    assert_eq!(head[0], 22, "a handshake");
    let mut hello = vec![0; usize::from(u16::from_be_bytes([head[3], head[4]]))];
    stream.read_exact(&mut hello).await?;
    Ok(hello)
}

/// What the extension `supported_versions` of a ClientHello lists; without it, the one version of its head.
fn versions(hello: &[u8]) -> Vec<u16> {
    let two = |at: usize| u16::from_be_bytes([hello[at], hello[at + 1]]);
    let legacy = two(4);
    // Behind type, length, version and random: a session of one byte's length, ciphers of two, compressions of one.
    let mut at = 4 + 2 + 32;
    at += 1 + usize::from(hello[at]);
    at += 2 + usize::from(two(at));
    at += 1 + usize::from(hello[at]);
    at += 2;
    while at < hello.len() {
        let (kind, length) = (two(at), usize::from(two(at + 2)));
        if kind == 43 {
            return hello[at + 5..at + 4 + length]
                .chunks(2)
                .map(|pair| u16::from_be_bytes([pair[0], pair[1]]))
                .collect();
        }
        at += 4 + length;
    }
    vec![legacy]
}

/// A place where one URL of the configuration leads to `address`.
async fn place_with(url: &str, address: SocketAddr) -> Place {
    let place = Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &text)).await;
    let text = std::fs::read_to_string(&place.setup.config).expect("the configuration");
    let own = url.replace("PORT", &place.sandbox.address.port().to_string());
    assert!(text.contains(&own), "{own} is in\n{text}");
    let other = url.replace("PORT", &address.port().to_string());
    std::fs::write(&place.setup.config, text.replace(&own, &other)).expect("written");
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_of_1_2_and_1_3_is_offered_and_no_older_one_is_spoken() {
    const VAULT: &str = "\"https://overlap.vault.sandbox.test:PORT\"";
    const HPE: &str = "\"https://sps.sandbox.test:PORT/v1alpha1\"";
    // What asks the vault, the doctor, and what asks HPE are three clients.
    let table = [(VAULT, "check", 1), (VAULT, "doctor", 1), (HPE, "once", 1)];
    for (url, command, code) in table {
        for manner in [Old::Alert, Old::ServerHello] {
            let (address, offered) = old(manner).await;
            let place = place_with(url, address).await;
            let output = place.run(&[command, "-v"]).await;
            let text =
                [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).concat();
            assert_eq!(output.status.code(), Some(code), "{text}");
            for words in ["no TLS connection could be made", "the far side must speak TLS 1.2 or 1.3"] {
                assert!(text.contains(words), "{command}: {words:?} is not in\n{text}");
            }
            let offered = offered.lock().unwrap_or_else(PoisonError::into_inner).clone();
            assert!(!offered.is_empty());
            for mut versions in offered {
                versions.sort_unstable();
                assert_eq!(versions, [0x0303, 0x0304], "{command}");
            }
            assert_eq!(place.sandbox.world(OVERLAP).ledger.issued, 0);
        }
    }
}

/// Returns once nothing has been asked for a while: a look is over, and its connections idle.
async fn quiet(place: &Place) -> usize {
    const WHILE: Duration = Duration::from_secs(2);
    let began = Instant::now();
    let (mut calls, mut since) = (place.sandbox.calls().len(), Instant::now());
    while since.elapsed() < WHILE {
        assert!(began.elapsed() < PATIENCE, "it is never quiet\n{}", place.logs());
        tokio::time::sleep(Duration::from_millis(5)).await;
        let now = place.sandbox.calls().len();
        if now != calls {
            (calls, since) = (now, Instant::now());
        }
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_were_closed_or_forgotten_while_they_idled_cost_no_look() {
    // A close is noticed whenever it comes. What is forgotten is not, so nothing is kept for as long as that takes.
    for (is_forgotten, idle) in [(false, "15s"), (true, "100ms")] {
        let place = Place::new(worlds(|_| ()), SPEED, |text| {
            // From one look to the next is three times as long as it is waited for that all is quiet.
            let seldom = text.replace("check = \"0 */10 * * * *\"", "check = \"*/6 * * * * *\"");
            only(OVERLAP, &seldom).replace("[http]", &format!("[http]\nidle_timeout = \"{idle}\""))
        })
        .await;
        let daemon = place.daemon(&["-v"]);
        place.until(OVERLAP, "the rotation is confirmed", |world| is_at_rest_with_newer(world, 1)).await;
        for _ in 0..3 {
            let calls = quiet(&place).await;
            match is_forgotten {
                true => place.sandbox.forget_connections(),
                false => place.sandbox.hang_up(),
            }
            place.until(OVERLAP, "it is looked again", |_| place.sandbox.calls().len() > calls + 3).await;
        }
        let log = daemon.log();
        for words in ["no answer in time", "broke before the answer", "CannotObserve", " failed"] {
            assert!(!log.contains(words), "{words:?} is in\n{log}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bearer_of_entra_is_renewed_before_its_end_and_no_service_ever_refuses_one() {
    let place = Place::new(worlds(|_| ()), SPEED, |text| only(OVERLAP, &hourly(&text))).await;
    // In real time: it is renewed half a minute before its end.
    place.sandbox.world(OVERLAP).settings.access_life = TimeDelta::seconds(35 * 3600);
    let daemon = place.daemon(&["-v"]);
    let count = |op: Op| place.sandbox.calls().iter().filter(|call| call.op == Some(op)).count();
    place.until(OVERLAP, "both are renewed", |_| count(Op::GraphToken) > 2 && count(Op::VaultToken) > 2).await;
    let calls = place.sandbox.calls();
    // The vault is asked without a bearer once, to be told by its challenge where to get one.
    let refused =
        |by: Service| calls.iter().filter(|call| call.service == Some(by) && call.status == Some(401)).count();
    assert_eq!((refused(Service::Graph), refused(Service::Vault)), (0, 1), "{calls:?}\n{}", daemon.log());
    let asked = calls.iter().filter(|call| call.op.is_some()).count();
    assert!(asked > 4 * count(Op::GraphToken), "each is used for several calls: {asked}");
}
