//! The agent's own small HTTP server: `/healthz` and `/metrics`, on loopback unless told
//! otherwise. It only answers GET and knows nothing of what the agent does.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tracing::{debug, info};

/// What a path answers with.
pub type Render = dyn Fn() -> String + Send + Sync;

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
pub async fn run(listener: TcpListener, metrics: Arc<Render>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let metrics = Arc::clone(&metrics);
        tokio::spawn(async move {
            let service = service_fn(|request| {
                let answer = answer(&request, metrics.as_ref());
                async move { Ok::<_, Infallible>(answer) }
            });
            if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
                debug!("a caller of /metrics went away: {error}");
            }
        });
    }
}

fn answer(request: &Request<Incoming>, metrics: &Render) -> Response<String> {
    let (status, body) = match request.uri().path() {
        "/healthz" => (StatusCode::OK, "ok\n".to_owned()),
        "/metrics" => (StatusCode::OK, metrics()),
        _ => (StatusCode::NOT_FOUND, "there is /healthz and /metrics\n".to_owned()),
    };
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
}
