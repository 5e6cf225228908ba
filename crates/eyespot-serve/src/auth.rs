//! Who may ask.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::HeaderMap;
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;

use crate::app::App;
use crate::error::HttpError;

/// A secret that clients show. Only its digest is kept, and it is never printed.
#[derive(Clone)]
pub struct Token([u8; 32]);

impl Token {
    /// The secret as text.
    #[must_use]
    pub fn new(secret: &str) -> Self {
        Self(Sha256::digest(secret).into())
    }

    /// Takes the same time for every wrong secret of a length.
    fn is(&self, shown: &[u8]) -> bool {
        let shown: [u8; 32] = Sha256::digest(shown).into();
        self.0.ct_eq(&shown).into()
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(..)")
    }
}

/// The secret of a request: `Authorization: Bearer`, the password of `Authorization: Basic` (what `http://any:SECRET@host`
/// becomes), or `x-api-key`.
fn shown(headers: &HeaderMap) -> Option<Vec<u8>> {
    if let Some(key) = headers.get("x-api-key") {
        return Some(key.as_bytes().to_vec());
    }
    let (scheme, rest) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().as_bytes().to_vec());
    }
    if scheme.eq_ignore_ascii_case("basic") {
        let pair = STANDARD.decode(rest.trim()).ok()?;
        let colon = pair.iter().position(|&byte| byte == b':')?;
        return pair.get(colon + 1..).map(<[u8]>::to_vec);
    }
    None
}

/// Does a web page of another host ask? A browser says where a page comes from.
fn is_foreign_page(headers: &HeaderMap) -> bool {
    let Some(origin) = headers.get(ORIGIN) else { return false };
    let host = headers.get(HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    origin.to_str().ok().and_then(|origin| origin.split_once("://")).is_none_or(|(_, of)| of != host)
}

/// Lets in who shows the token. Whether the server lives and is ready is nobody's secret.
pub(crate) async fn check(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if is_foreign_page(headers) {
        return HttpError::forbidden("pages of other hosts may not use this server").into_response();
    }
    let open = matches!(request.uri().path(), "/livez" | "/readyz");
    if let (Some(token), false) = (&app.options.token, open)
        && !shown(headers).is_some_and(|shown| token.is(&shown))
    {
        app.metrics.unauthorized.add(1);
        let mut response = HttpError::unauthorized().into_response();
        let challenge = axum::http::HeaderValue::from_static("Basic realm=\"eyespot\", Bearer");
        response.headers_mut().insert(axum::http::header::WWW_AUTHENTICATE, challenge);
        return response;
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_token_is_shown_in_three_ways_and_never_printed() {
        let token = Token::new("s3cret:with colon");
        assert_eq!(format!("{token:?}"), "Token(..)");
        let basic = format!("Basic {}", STANDARD.encode("any:s3cret:with colon"));
        for (name, value) in [
            ("x-api-key", "s3cret:with colon"),
            ("authorization", "Bearer s3cret:with colon"),
            ("authorization", basic.as_str()),
        ] {
            assert!(token.is(&shown(&headers(&[(name, value)])).unwrap()), "{name}");
        }
        for value in ["s3cret", "Bearer", "Bearer s3cret", "Basic !!!", "Basic ", "Digest x"] {
            let shown = shown(&headers(&[("authorization", value)]));
            assert!(!shown.is_some_and(|shown| token.is(&shown)), "{value}");
        }
    }

    /// How much of a wrong secret is right does not show in the time that it takes. The least of many runs is the time without
    /// what else the computer does.
    #[test]
    fn a_wrong_secret_takes_the_same_time_however_near_it_is() {
        let secret = "s3cret".repeat(10);
        let token = Token::new(&secret);
        let near = format!("{}x", &secret[..secret.len() - 1]);
        let far = "x".repeat(secret.len());
        let mut least = [u128::MAX; 2];
        for _ in 0..400 {
            for (least, wrong) in least.iter_mut().zip([&near, &far]) {
                let start = std::time::Instant::now();
                for _ in 0..50 {
                    assert!(!token.is(std::hint::black_box(wrong.as_bytes())));
                }
                *least = (*least).min(start.elapsed().as_nanos());
            }
        }
        let [near, far] = least.map(|nanoseconds| nanoseconds as f64);
        assert!((0.8..1.25).contains(&(near / far)), "{near} and {far} ns");
    }

    #[test]
    fn pages_of_other_hosts_are_told_apart() {
        assert!(!is_foreign_page(&headers(&[("host", "a:8000")])));
        assert!(!is_foreign_page(&headers(&[("host", "a:8000"), ("origin", "http://a:8000")])));
        assert!(is_foreign_page(&headers(&[("host", "a:8000"), ("origin", "http://b")])));
        assert!(is_foreign_page(&headers(&[("host", "a:8000"), ("origin", "null")])));
    }
}
