//! What all answers share, and which path leads where.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{Html, IntoResponse as _, Response};
use axum::routing::{any, get, post};
use eyespot_runtime::Model;
use eyespot_supervisely::Converter;
use serde::Serialize;
use serde_json::Value;

use crate::error::HttpError;
use crate::jobs::Jobs;
use crate::linger::Linger;
use crate::live::{Live, PAGE};
use crate::metrics::{self, Metrics};
use crate::options::ServeOptions;
use crate::{auth, follow, info, start};

/// A model, and how its results are told.
pub(crate) struct Served {
    pub(crate) model: Model,
    /// Annotations of everything that was found.
    pub(crate) converter: Converter,
    /// Its classes and tags.
    pub(crate) meta: Value,
}

impl Served {
    pub(crate) fn new(model: Model) -> Self {
        let converter = Converter::of_model(&model);
        // A meta is plain data, which JSON takes.
        let meta = serde_json::to_value(converter.meta()).unwrap_or_default();
        Self { model, converter, meta }
    }
}

/// A running server.
pub(crate) struct App {
    pub(crate) options: ServeOptions,
    served: RwLock<Arc<Served>>,
    pub(crate) jobs: Jobs,
    pub(crate) metrics: Metrics,
    pub(crate) live: Live,
    /// Bytes of uploads on disk.
    pub(crate) stored: Arc<AtomicU64>,
    pub(crate) stopping: AtomicBool,
    pub(crate) started: Instant,
}

impl App {
    pub(crate) fn new(model: Model, options: ServeOptions) -> Self {
        Self {
            options,
            served: RwLock::new(Arc::new(Served::new(model))),
            jobs: Jobs::default(),
            metrics: Metrics::default(),
            live: Live::new(),
            stored: Arc::default(),
            stopping: AtomicBool::new(false),
            started: Instant::now(),
        }
    }

    /// The model of now.
    pub(crate) fn served(&self) -> Arc<Served> {
        Arc::clone(&self.served.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Another model from now on. What runs goes on with the old one.
    pub(crate) fn serve(&self, model: Model) {
        *self.served.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(Served::new(model));
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Relaxed)
    }
}

/// What a handler knows.
pub(crate) type Shared = State<Arc<App>>;
/// What a handler answers.
pub(crate) type Answer = Result<Response, HttpError>;

/// An answer of JSON.
pub(crate) fn json(value: &(impl Serialize + ?Sized)) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => {
            let mut response = Response::new(Body::from(bytes));
            let kind = HeaderValue::from_static("application/json");
            response.headers_mut().insert(header::CONTENT_TYPE, kind);
            response
        }
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

/// Waits for work that would block, on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, HttpError> + Send + 'static,
) -> Result<T, HttpError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|_| Err(HttpError::internal("the server broke down over this request")))
}

/// Which path leads where.
pub(crate) fn router(app: &Arc<App>) -> Router {
    Router::new()
        .route("/", get(|| async { Html(PAGE) }))
        .route("/live.mjpeg", get(async |State(app): Shared| app.live.stream()))
        .route("/metrics", get(prometheus))
        .route("/livez", any(info::alive))
        .route("/is_alive", any(info::alive))
        .route("/is_running", any(info::alive))
        .route("/readyz", any(info::ready))
        .route("/is_ready", any(info::ready))
        .route("/is_deployed", any(info::deployed))
        .route("/get_session_info", any(info::session))
        .route("/get_deploy_info", any(info::deploy))
        .route("/get_deploy_settings", any(info::deploy))
        .route("/get_custom_inference_settings", any(info::settings))
        .route("/get_tracking_settings", any(info::tracking))
        .route("/get_model_meta", any(info::meta))
        .route("/get_output_classes_and_tags", any(info::meta))
        .route("/get_status", any(info::status))
        .route("/list_pretrained_models", any(info::models))
        .route("/list_pretrained_model_infos", any(info::model_infos))
        .route("/deploy_from_api", post(info::deploy_from_api))
        .route("/freeze_model", post(info::freeze))
        .route("/inference_image", post(start::image))
        .route("/inference_batch", post(start::batch))
        .route("/inference_batch_async", post(start::batch_async))
        .route("/inference_image_url", post(start::image_url))
        .route("/inference_video_async", post(start::video_async))
        .route("/inference_image_id", post(start::image_id))
        .route("/inference_image_id_async", post(start::ids_async))
        .route("/inference_batch_ids", post(start::ids))
        .route("/inference_batch_ids_async", post(start::ids_async))
        .route("/inference_video_id", post(start::video_id))
        .route("/inference_video_id_async", post(start::video_id_async))
        .route("/inference_project_id_async", post(start::project_async))
        .route("/get_inference_progress", post(follow::progress))
        .route("/get_preparing_progress", post(follow::preparing))
        .route("/get_inference_status", post(follow::status))
        .route("/pop_inference_results", post(follow::pop))
        .route("/get_inference_result", post(follow::result))
        .route("/stop_inference", post(follow::stop))
        .route("/clear_inference_request", post(follow::clear))
        .fallback(async || HttpError::new(StatusCode::NOT_FOUND, "this server has nothing of that name"))
        .layer(middleware::from_fn_with_state(Arc::clone(app), auth::check))
        .layer(middleware::from_fn_with_state(Arc::clone(app), count))
        .with_state(Arc::clone(app))
}

async fn prometheus(State(app): Shared) -> Response {
    let mut response = Response::new(Body::from(metrics::text(&app)));
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}

/// Counts answers, and notes them without anything that a client sent but the path.
async fn count(State(app): Shared, request: Request, next: Next) -> Response {
    let start = Instant::now();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let response = next.run(request.map(|body| Body::new(Linger::new(body)))).await;
    let status = response.status().as_u16();
    if let Some(counter) = app.metrics.answers.get(usize::from(status / 100)) {
        counter.add(1);
    }
    // A path that leads nowhere may hold anything.
    let path = if status == 404 || status == 401 { "-" } else { path.as_str() };
    log::debug!("{method} {path} {status} {:.1} ms", start.elapsed().as_secs_f64() * 1e3);
    response
}
