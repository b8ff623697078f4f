//! hyper on tokio, a task for each connection; answers as executor/examples/httpd does.

use crate::tcp::Listener;
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::header::{HeaderValue, ALLOW, CONTENT_TYPE};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use workload_common::Listener as _;

const BODY: &str = "Hello, world!";

/// hyper itself adds Date and Content-Length, leaves the body of an answer to HEAD away and keeps connections alive.
async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = if request.uri().path() != "/" {
        (StatusCode::NOT_FOUND, "404 Not Found")
    } else if request.method() != Method::GET && request.method() != Method::HEAD {
        (StatusCode::METHOD_NOT_ALLOWED, "405 Method Not Allowed")
    } else {
        (StatusCode::OK, BODY)
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    }
    Ok(response)
}

pub async fn serve(listener: Listener) -> io::Result<()> {
    loop {
        let stream = TokioIo::new(listener.accept().await?.into_inner());
        tokio::spawn(async move {
            // What ends a connection early is its client's affair.
            let _ = http1::Builder::new().timer(TokioTimer::new()).serve_connection(stream, service_fn(answer)).await;
        });
    }
}
