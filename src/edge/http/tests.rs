//! The sorting of failures, against sockets that misbehave on purpose.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::server::TlsStream;

use super::*;
use crate::edge::testing::{LOOPBACK, tls, tls_of};
use crate::ports::Class;

async fn listen() -> (TcpListener, Url) {
    let listener = TcpListener::bind((LOOPBACK, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, format!("https://user:pass@kv.fake.test:{port}/path?query=canary").parse().unwrap())
}

/// Reads the head of one request.
async fn read_head(stream: &mut TlsStream<TcpStream>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.unwrap());
    }
}

async fn get_it(options: &HttpOptions, url: Url) -> Result<Answer, Failure> {
    let http = Http::build(options).unwrap();
    http.send(http.request(Method::GET, url)).await
}

fn assert_shows_no_secret(failure: Failure) {
    let call = failure.into_call("X", Class::Ambiguous);
    let shown = format!("{call} {call:?}");
    assert!(!shown.contains("canary") && !shown.contains("pass@"), "{shown}");
}

#[tokio::test]
async fn a_refused_connection_was_certainly_not_sent() {
    let (_dir, options, _) = tls();
    let (listener, url) = listen().await;
    drop(listener);
    let failure = get_it(&options, url).await.unwrap_err();
    assert_eq!(failure.sent, Sent::No, "{failure:?}");
    assert!(failure.what.ends_with("/path: no connection"), "{}", failure.what);
    assert_shows_no_secret(failure);
}

#[tokio::test]
async fn a_server_that_closes_after_reading_may_have_carried_it_out() {
    let (_dir, options, acceptor) = tls();
    let (listener, url) = listen().await;
    let server = async {
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        read_head(&mut stream).await;
        // Gone without a word, as a machine that loses power.
    };
    let (answer, ()) = tokio::join!(get_it(&options, url), server);
    let failure = answer.unwrap_err();
    assert_eq!(failure.sent, Sent::Maybe, "{failure:?}");
    assert_shows_no_secret(failure);
}

#[tokio::test]
async fn an_unknown_ca_was_certainly_not_sent_and_names_ca_file() {
    let (_dir, _, acceptor) = tls();
    let (_other, options, _) = tls();
    let (listener, url) = listen().await;
    let server = async {
        let _refused = acceptor.accept(listener.accept().await.unwrap().0).await;
    };
    let (answer, ()) = tokio::join!(get_it(&options, url), server);
    let failure = answer.unwrap_err();
    assert_eq!(failure.sent, Sent::No, "{failure:?}");
    assert!(failure.advice.as_deref().unwrap().contains("ca_file"), "{failure:?}");
    assert!(failure.what.contains("certificate"), "{failure:?}");
}

#[tokio::test]
async fn a_wrong_host_name_is_told_from_an_unknown_ca() {
    let (_dir, options, acceptor) = tls();
    let (listener, mut url) = listen().await;
    url.set_host(Some("other.fake.test")).unwrap();
    let server = async {
        let _refused = acceptor.accept(listener.accept().await.unwrap().0).await;
    };
    let (answer, ()) = tokio::join!(get_it(&options, url), server);
    assert!(answer.unwrap_err().advice.unwrap().contains("host name"));
}

#[tokio::test]
async fn an_answer_that_breaks_off_counts_only_if_it_was_a_success() {
    for (status, is_lost) in [("200 OK", true), ("400 Bad Request", false)] {
        let (_dir, options, acceptor) = tls();
        let (listener, url) = listen().await;
        let server = async {
            let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
            read_head(&mut stream).await;
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: 99\r\n\r\nhalf");
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.shutdown().await.unwrap();
        };
        let (answer, ()) = tokio::join!(get_it(&options, url), server);
        match answer {
            Ok(answer) => assert_eq!((answer.status, is_lost), (400, false)),
            Err(failure) => assert_eq!((failure.sent, is_lost), (Sent::Maybe, true)),
        }
    }
}

#[tokio::test]
async fn an_answer_larger_than_the_cap_is_not_read() {
    let (_dir, options, acceptor) = tls();
    let (listener, url) = listen().await;
    let server = async {
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        read_head(&mut stream).await;
        let body = vec![b'x'; MAX_BODY + 1];
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        let _ = stream.write_all(head.as_bytes()).await;
        let _ = stream.write_all(&body).await;
    };
    let (answer, ()) = tokio::join!(get_it(&options, url), server);
    assert!(answer.unwrap_err().what.contains("256 KB"));
}

#[tokio::test]
async fn nothing_but_loopback_is_reached_in_the_sandbox_and_no_redirect_is_followed() {
    let (_dir, options, _) = tls();
    let failure = get_it(&options, "https://192.0.2.1/x".parse().unwrap()).await.unwrap_err();
    assert_eq!(failure.sent, Sent::No);
    assert!(failure.what.contains("sandbox"), "{}", failure.what);
    let far = HttpOptions { sandbox: Some("192.0.2.1".parse().unwrap()), ..options };
    assert!(matches!(Http::build(&far), Err(BuildError::NotLoopback(_))));
}

#[tokio::test]
async fn plain_http_is_refused_before_anything_is_sent() {
    let (_dir, options, _) = tls();
    let failure = get_it(&options, "http://kv.fake.test:1/x".parse().unwrap()).await.unwrap_err();
    assert_eq!(failure.sent, Sent::No, "{failure:?}");
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let (_dir, options, acceptor) = tls();
    let (listener, url) = listen().await;
    let server = async {
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        read_head(&mut stream).await;
        let head = "HTTP/1.1 302 Found\r\nlocation: /elsewhere\r\nretry-after: 7\r\n\
                    date: Sun, 15 Nov 2026 08:00:00 GMT\r\ncontent-length: 4\r\n\r\nbody";
        stream.write_all(head.as_bytes()).await.unwrap();
    };
    let (answer, ()) = tokio::join!(get_it(&options, url), server);
    let answer = answer.unwrap();
    assert_eq!((answer.status, answer.body(), answer.is_success()), (302, b"body".as_slice(), false));
    assert_eq!(answer.retry_after().unwrap().as_secs(), 7);
    assert_eq!(answer.date().unwrap().to_rfc3339(), "2026-11-15T08:00:00+00:00");
}

/// A server whose first connection answers once and then swallows whatever comes, as one that a machine on the way has
/// forgotten; every later one answers.
async fn forgotten_while_idle(listener: &TcpListener, acceptor: &tokio_rustls::TlsAcceptor) {
    let mut first = true;
    loop {
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        if std::mem::take(&mut first) {
            tokio::spawn(async move {
                let _swallowed = stream.read_u8().await;
            });
        }
    }
}

#[tokio::test]
async fn what_must_not_be_done_twice_goes_down_no_connection_that_may_be_dead() {
    let kept = HttpOptions::default().idle_timeout;
    for (once, idle_timeout) in [(false, kept), (true, kept), (false, std::time::Duration::ZERO)] {
        let (_dir, options, acceptor) = tls();
        let options = HttpOptions { idle_timeout, ..options };
        let (listener, url) = listen().await;
        let client = async {
            let http = Http::build(&options).unwrap();
            http.send(http.request(Method::GET, url.clone())).await.unwrap();
            let second = http.request(Method::POST, url.clone());
            if once { http.send_once(second).await } else { http.send(second).await }
        };
        let answer = tokio::select! {
            answer = client => answer,
            () = forgotten_while_idle(&listener, &acceptor) => unreachable!("it serves for ever"),
        };
        match answer {
            // A new one, or none that was kept.
            Ok(answer) => assert_eq!((once || idle_timeout.is_zero(), answer.status), (true, 200)),
            // Nobody can know whether it arrived.
            Err(failure) => {
                assert_eq!((once, idle_timeout, failure.sent), (false, kept, Sent::Maybe), "{failure:?}");
            }
        }
    }
}

#[tokio::test]
async fn a_limit_that_is_over_before_the_connection_stands_means_that_nothing_was_sent() {
    let (_dir, options, _) = tls();
    // The limit of the whole comes before that of the connection, which would tell by itself.
    let options = HttpOptions { timeout: std::time::Duration::from_millis(200), ..options };
    let (_silent, url) = listen().await;
    let http = Http::build(&options).unwrap();
    let failure = http.send_once(http.request(Method::POST, url)).await.unwrap_err();
    assert_eq!(failure.sent, Sent::No, "{failure:?}");
    assert!(failure.what.ends_with("no connection in time"), "{}", failure.what);
}

#[tokio::test]
async fn a_request_of_its_own_that_is_never_answered_may_have_been_carried_out() {
    let (_dir, options, acceptor) = tls();
    let options = HttpOptions { timeout: std::time::Duration::from_secs(5), ..options };
    let (listener, url) = listen().await;
    let server = async {
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        read_head(&mut stream).await;
        stream
    };
    let http = Http::build(&options).unwrap();
    let (answer, _open) = tokio::join!(http.send_once(http.request(Method::POST, url)), server);
    let failure = answer.unwrap_err();
    assert_eq!(failure.sent, Sent::Maybe, "{failure:?}");
    assert!(failure.what.ends_with("no answer in time"), "{}", failure.what);
}

#[tokio::test]
async fn tls_1_2_is_spoken_and_less_is_told() {
    let (_dir, options, _) = tls();
    let (listener, url) = listen().await;
    // What a server says that knows TLS 1.1 at most: alert 70, protocol_version.
    let server = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        stream.write_all(&[21, 3, 1, 0, 2, 2, 70]).await.unwrap();
        let mut rest = Vec::new();
        let _reset = stream.read_to_end(&mut rest).await;
    };
    let (answer, ()) = tokio::join!(get_it(&options, url), server);
    let failure = answer.unwrap_err();
    assert_eq!(failure.sent, Sent::No, "{failure:?}");
    assert!(failure.advice.as_deref().unwrap().contains("TLS 1.2 or 1.3"), "{failure:?}");

    let (_dir, options, acceptor) = tls_of(&[&tokio_rustls::rustls::version::TLS12]);
    let (listener, url) = listen().await;
    let server = async {
        let mut stream = acceptor.accept(listener.accept().await.unwrap().0).await.unwrap();
        read_head(&mut stream).await;
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").await.unwrap();
        stream
    };
    let (answer, _open) = tokio::join!(get_it(&options, url), server);
    assert_eq!(answer.unwrap().status, 204);
}

#[test]
fn a_bad_ca_file_is_named_with_what_stands_in_it_and_what_is_expected() {
    let (dir, _options, _) = tls();
    let good = std::fs::read_to_string(dir.path().join("ca.pem")).unwrap();
    let path = dir.path().join("other.pem");
    let options = HttpOptions { ca_file: Some(path.clone()), ..HttpOptions::default() };
    assert!(matches!(Http::build(&options), Err(BuildError::CaFile { .. })));
    let table: [(&[u8], &str); 8] = [
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"not pem", "without any PEM block"),
        (b"\x30\x82\x01\x0a\xff", "looks like DER"),
        (b"\xff\xfe\x00", "is binary"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "but: PRIVATE KEY"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "number 1 cannot be read"),
        (b"-----BEGIN CERTIFICATE-----\nAA", "damaged"),
    ];
    for (content, why) in table {
        std::fs::write(&path, content).unwrap();
        let error = Http::build(&options).unwrap_err().to_string();
        for part in [why, &path.display().to_string(), "expected one or more CA certificates in PEM"] {
            assert!(error.contains(part), "{why}: {error}");
        }
    }
    std::fs::write(&path, format!("{good}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")).unwrap();
    let error = Http::build(&options).unwrap_err().to_string();
    assert!(error.contains("holds 2 certificates, and number 2 cannot be read"), "{error}");
    std::fs::write(&path, format!("# ours\n{good}\n{good}")).unwrap();
    Http::build(&options).unwrap();
}

#[test]
fn path_segments_are_escaped_and_a_trailing_slash_changes_nothing() {
    for base in ["https://a/v1/", "https://a/v1"] {
        assert_eq!(join(&base.parse().unwrap(), ["x y", "../z"]).as_str(), "https://a/v1/x%20y/..%2Fz");
    }
}
