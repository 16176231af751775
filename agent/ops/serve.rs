//! The agent's own small HTTP server, on loopback unless configured otherwise: `/healthz` and
//! `/metrics`, and where Slack's presses come in. It knows nothing of what the agent does.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http_body_util::{BodyExt as _, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{HeaderMap, Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tracing::{debug, info};

use super::metrics::Exposition;

/// What `/metrics` answers with.
pub type Render = dyn Fn(Exposition) -> String + Send + Sync;
/// What becomes of a request that Slack makes.
pub type Receive = dyn Fn(&HeaderMap, &[u8]) -> StatusCode + Send + Sync;

/// Slack sends the whole message with a press: 50 blocks of 3,000 characters, escaped.
const LARGEST_BODY: usize = 1 << 20;
/// How long a request may take to arrive; Slack gives up after 3 s.
const HEADER_TIMEOUT: Duration = Duration::from_secs(3);
/// How many callers are served at once.
const CALLERS: usize = 64;

/// What is served.
pub struct Pages {
    /// `/metrics`.
    pub metrics: Arc<Render>,
    /// `/slack/actions`, where there are buttons.
    pub slack: Option<Arc<Receive>>,
}

/// Binds the address; port 0 takes a free one, which is logged.
///
/// # Errors
/// When the address is taken or not ours.
pub async fn bind(address: SocketAddr) -> std::io::Result<TcpListener> {
    let listener = TcpListener::bind(address).await?;
    info!("serving /healthz and /metrics on http://{}", listener.local_addr()?);
    Ok(listener)
}

/// Answers until the process ends.
pub async fn run(listener: TcpListener, pages: Pages) {
    let (pages, callers) = (Arc::new(pages), Arc::new(Semaphore::new(CALLERS)));
    loop {
        let Ok(place) = Arc::clone(&callers).acquire_owned().await else { return };
        let Ok((stream, _)) = listener.accept().await else { continue };
        let pages = Arc::clone(&pages);
        tokio::spawn(async move {
            let _place = place;
            let service = service_fn(|request| async { Ok::<_, Infallible>(answer(request, &pages).await) });
            let mut http = http1::Builder::new();
            let http = http.timer(TokioTimer::new()).header_read_timeout(HEADER_TIMEOUT);
            if let Err(error) = http.serve_connection(TokioIo::new(stream), service).await {
                debug!("a client disconnected: {error}");
            }
        });
    }
}

async fn answer(request: Request<Incoming>, pages: &Pages) -> Response<String> {
    let (status, body) = match (request.method(), request.uri().path(), &pages.slack) {
        (_, "/healthz", _) => (StatusCode::OK, "ok\n".to_owned()),
        (_, "/metrics", _) => return measured(request.headers(), pages.metrics.as_ref()),
        (&Method::POST, "/slack/actions", Some(receive)) => {
            (receive_from(request, receive.as_ref()).await, String::new())
        }
        _ => (StatusCode::NOT_FOUND, "there is /healthz and /metrics\n".to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}

fn measured(headers: &HeaderMap, render: &Render) -> Response<String> {
    let accept = headers.get(ACCEPT).and_then(|accept| accept.to_str().ok()).unwrap_or_default();
    let exposition = Exposition::wanted(accept);
    let mut response = Response::new(render(exposition));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(exposition.content_type()));
    response
}

async fn receive_from(request: Request<Incoming>, receive: &Receive) -> StatusCode {
    let (head, body) = request.into_parts();
    let read = Limited::new(body, LARGEST_BODY).collect();
    match timeout(HEADER_TIMEOUT, read).await {
        Ok(Ok(body)) => {
            let body: Bytes = body.to_bytes();
            receive(&head.headers, &body)
        }
        Ok(Err(error)) => {
            debug!("the body of a request was not read: {error}");
            StatusCode::PAYLOAD_TOO_LARGE
        }
        Err(_) => StatusCode::REQUEST_TIMEOUT,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn served(slack: Option<Arc<Receive>>) -> String {
        let listener = bind("127.0.0.1:0".parse().expect("an address")).await.expect("a free port");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(run(listener, Pages { metrics: Arc::new(|exposition| format!("{exposition:?}\n")), slack }));
        format!("http://{address}/slack/actions")
    }

    async fn posted(url: &str, body: Vec<u8>) -> StatusCode {
        let answer = reqwest::Client::new().post(url).body(body).send().await.expect("an answer");
        StatusCode::from_u16(answer.status().as_u16()).expect("a status")
    }

    #[tokio::test]
    async fn a_press_is_handed_on_whole_and_a_body_that_is_too_large_is_not_read() {
        let url =
            served(Some(Arc::new(|_, body| if body == b"pressed" { StatusCode::OK } else { StatusCode::GONE }))).await;
        assert_eq!(posted(&url, b"pressed".to_vec()).await, StatusCode::OK);
        assert_eq!(posted(&url, vec![b'a'; LARGEST_BODY]).await, StatusCode::GONE);
        assert_eq!(posted(&url, vec![b'a'; LARGEST_BODY + 1]).await, StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn metrics_come_in_the_format_that_is_asked_for() {
        let url = served(None).await.replace("/slack/actions", "/metrics");
        for (accept, body, content_type) in [
            (
                "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;q=0.5",
                "OpenMetrics\n",
                "application/openmetrics-text; version=1.0.0; charset=utf-8",
            ),
            ("*/*", "Text\n", "text/plain; version=0.0.4; charset=utf-8"),
        ] {
            let answer = reqwest::Client::new().get(&url).header("accept", accept).send().await.expect("an answer");
            assert_eq!(answer.headers()["content-type"], content_type);
            assert_eq!(answer.text().await.expect("a body"), body);
        }
    }

    #[tokio::test]
    async fn where_there_are_no_buttons_there_is_no_such_page() {
        let url = served(None).await;
        assert_eq!(posted(&url, Vec::new()).await, StatusCode::NOT_FOUND);
    }
}
