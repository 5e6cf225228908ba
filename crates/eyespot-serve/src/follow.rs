//! How a client follows a request, and ends it.

use std::sync::Arc;

use axum::extract::{Request, State};
use serde_json::{Value, json};

use crate::app::{Answer, App, Shared, blocking, json as answer};
use crate::error::HttpError;
use crate::info::ram;
use crate::job::Job;
use crate::upload;

async fn job(app: &App, request: Request) -> Result<Arc<Job>, HttpError> {
    let call = upload::json(app, request).await?;
    app.jobs.get(call.uuid()?)
}

pub(crate) async fn progress(State(app): Shared, request: Request) -> Answer {
    Ok(answer(&job(&app, request).await?.report()))
}

/// There is nothing to prepare: files are here when a request starts, and items of a platform come one by one.
pub(crate) async fn preparing(State(app): Shared, request: Request) -> Answer {
    let job = job(&app, request).await?;
    Ok(answer(&json!({
        "message": "Ready", "status": "ready", "current": job.total, "total": job.total, "is_size": false,
    })))
}

pub(crate) async fn status(State(app): Shared, request: Request) -> Answer {
    let report = job(&app, request).await?.report();
    let mut report = serde_json::to_value(&report).unwrap_or_default();
    if let Value::Object(report) = &mut report {
        report.insert("gpu_memory".into(), json!({"allocated": null, "total": null}));
        report.insert("ram_memory".into(), ram());
    }
    Ok(answer(&report))
}

pub(crate) async fn pop(State(app): Shared, request: Request) -> Answer {
    let job = job(&app, request).await?;
    let (report, paused) = job.take(app.options.limits.poll).await;
    if paused {
        app.jobs.resume(&job);
    }
    Ok(answer(&report))
}

/// The result of the whole: the annotation of a tracked video, or nothing.
pub(crate) async fn result(State(app): Shared, request: Request) -> Answer {
    let job = job(&app, request).await?;
    Ok(match job.video() {
        Some((video, true)) => answer(&json!({"ann": [], "video_ann": video})),
        Some((video, false)) => answer(&json!({"video_ann": video})),
        None => answer(&Value::Null),
    })
}

pub(crate) async fn stop(State(app): Shared, request: Request) -> Answer {
    let job = job(&app, request).await?;
    blocking(move || {
        job.stop();
        Ok(())
    })
    .await?;
    Ok(answer(&json!({"message": "Inference will be stopped.", "success": true})))
}

pub(crate) async fn clear(State(app): Shared, request: Request) -> Answer {
    let job = job(&app, request).await?;
    blocking(move || {
        job.clear();
        Ok(())
    })
    .await?;
    Ok(answer(&json!({"success": true})))
}
