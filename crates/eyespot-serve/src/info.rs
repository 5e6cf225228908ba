//! What a server tells about itself.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use serde_json::{Value, json};

use crate::app::{Answer, Shared, blocking, json as answer};
use crate::call::named;
use crate::error::HttpError;
use crate::settings::{self, MAX_BATCH};
use crate::{memory, upload};

pub(crate) async fn alive() -> Response {
    answer(&json!({"running": true, "mode": "production"}))
}

pub(crate) async fn ready(State(app): Shared) -> Answer {
    if app.is_stopping() {
        return Err(HttpError::busy("the server is stopping"));
    }
    Ok(answer(&json!({"status": "ready"})))
}

pub(crate) async fn deployed() -> Response {
    answer(&json!({"deployed": true, "description:": "Model is ready to receive requests"}))
}

/// The kind of task that the outputs of the model show.
fn task_type(outputs: eyespot_core::Outputs) -> &'static str {
    match outputs {
        outputs if outputs.masks => "instance segmentation",
        outputs if outputs.keypoints > 0 => "pose estimation",
        _ => "object detection",
    }
}

pub(crate) async fn session(State(app): Shared) -> Response {
    let served = app.served();
    let trackers = settings::trackers();
    let trackers: Vec<&String> = trackers.as_object().map(|all| all.keys().collect()).unwrap_or_default();
    answer(&json!({
        "app_name": "Eyespot",
        "session_id": null,
        "number_of_classes": served.model.labels().len(),
        "sliding_window_support": "advanced",
        "videos_support": true,
        "async_video_inference_support": true,
        "tracking_on_videos_support": true,
        "async_image_inference_support": true,
        "tracking_algorithms": trackers,
        "batch_inference_support": true,
        "max_batch_size": MAX_BATCH,
        "task type": task_type(served.model.outputs()),
    }))
}

pub(crate) async fn deploy(State(app): Shared) -> Response {
    let served = app.served();
    let model = &served.model;
    let checkpoint = model.weights().and_then(|path| path.file_name()).map(|name| name.to_string_lossy());
    let family = model.name().split_once('/').map_or(model.name(), |(family, _)| family);
    answer(&json!({
        "checkpoint_name": checkpoint,
        "model_name": model.name(),
        "architecture": family,
        "checkpoint_url": null,
        "custom_checkpoint_path": null,
        "model_source": "Pretrained models",
        "task_type": task_type(model.outputs()),
        "device": model.device(),
        "runtime": "Eyespot",
        "model_precision": null,
        "hardware": std::env::consts::ARCH,
        "deploy_params": {},
    }))
}

pub(crate) async fn settings(State(app): Shared) -> Response {
    answer(&json!({"settings": settings::defaults(&app.served().model)}))
}

pub(crate) async fn tracking() -> Response {
    answer(&settings::trackers())
}

pub(crate) async fn meta(State(app): Shared) -> Response {
    answer(&app.served().meta)
}

pub(crate) async fn status(State(app): Shared) -> Response {
    let counts = app.jobs.counts();
    let (done, accepted) = (app.metrics.frames.get(), app.metrics.accepted.get());
    let message = match (counts.running, counts.waiting) {
        (0, 0) => "Ready".to_owned(),
        (running, waiting) => format!("{running} requests run, {waiting} wait"),
    };
    answer(&json!({
        "is_deployed": true,
        "progress": {"message": message, "status": message, "current": done, "total": done, "is_size": false},
        "requests": accepted,
        "gpu_memory": {"allocated": null, "total": null},
        "ram_memory": ram(),
    }))
}

/// Memory in the words of the protocol.
pub(crate) fn ram() -> Value {
    let (allocated, total) = memory::resident_and_total().unzip();
    json!({"allocated": allocated, "total": total})
}

pub(crate) async fn models(State(app): Shared) -> Response {
    answer(&names(&app))
}

pub(crate) async fn model_infos(State(app): Shared) -> Response {
    let infos: Vec<Value> =
        names(&app).into_iter().map(|name| json!({"meta": {"model_name": name}})).collect();
    answer(&infos)
}

fn names(app: &crate::app::App) -> Vec<String> {
    match &app.options.models {
        Some(models) => models.names(),
        None => vec![app.served().model.name().to_owned()],
    }
}

/// Serves another model, of those that the server knows. A client can't name a file.
pub(crate) async fn deploy_from_api(State(app): Shared, request: Request) -> Answer {
    let call = upload::json(&app, request).await?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let name = call.state.get("model_name").and_then(text);
    let name = name.ok_or_else(|| HttpError::bad("`state.model_name` is missing: name a model"))?;
    let device = call.state.get("deploy_params").and_then(Value::as_object);
    let device = device.and_then(|params| named(params, &["device"])).and_then(|(_, value)| text(value));
    if app.served().model.name() != name {
        let Some(models) = app.options.models.clone() else {
            return Err(HttpError::new(StatusCode::NOT_IMPLEMENTED, "this server keeps its model"));
        };
        if !models.names().contains(&name) {
            return Err(HttpError::bad(format!("no model `{name}`: see `list_pretrained_models`")));
        }
        let model = blocking(move || Ok(models.load(&name, device.as_deref())?)).await?;
        log::info!("serving {} on {}", model.name(), model.device());
        app.serve(model);
    }
    Ok(answer(&json!({"result": "model is deployed", "model_name": app.served().model.name()})))
}

pub(crate) async fn freeze() -> Response {
    answer(
        &json!({"message": "the model stays as it is: it takes no memory beyond its weights while nobody asks"}),
    )
}
