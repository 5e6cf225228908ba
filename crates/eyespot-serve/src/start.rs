//! How requests begin: with files, an address, or ids.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use eyespot_media::{Input, MediaError, MediaSource};
use eyespot_runtime::Settings;
use eyespot_supervisely::format::VideoAnnotation;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::app::{Answer, App, Served, Shared, blocking, json as answer};
use crate::call::{Call, number, whole, wholes, wrong};
use crate::error::HttpError;
use crate::job::{Items, Job, Plan};
use crate::platform::{Platform, Upload as PlatformUpload};
use crate::platform_source::PlatformSource;
use crate::settings;
use crate::upload::{self, Stored, Upload};

const IMAGE_IDS: &[&str] = &["images_ids", "batch_ids", "image_ids", "imageIds", "image_id", "imageId"];

// With files.

pub(crate) async fn image(State(app): Shared, request: Request) -> Answer {
    let upload = upload::read(&app, request).await?;
    if upload.files.len() != 1 {
        return Err(HttpError::bad(format!("one image is wanted here, not {}", upload.files.len())));
    }
    let plan = images(&app, upload).await?;
    one(&app, plan).await
}

pub(crate) async fn batch(State(app): Shared, request: Request) -> Answer {
    let upload = upload::read(&app, request).await?;
    let plan = images(&app, upload).await?;
    Ok(answer(&all(&app, plan).await?.0))
}

pub(crate) async fn batch_async(State(app): Shared, request: Request) -> Answer {
    let upload = upload::read(&app, request).await?;
    let plan = images(&app, upload).await?;
    begin(&app, plan)
}

pub(crate) async fn video_async(State(app): Shared, request: Request) -> Answer {
    let upload = upload::read(&app, request).await?;
    let plan = video(&app, upload).await?;
    begin(&app, plan)
}

/// A request for uploaded images.
async fn images(app: &Arc<App>, upload: Upload) -> Result<Plan, HttpError> {
    let served = app.served();
    blocking(move || {
        let Upload { call, files, stored } = upload;
        no_upload_mode(&call)?;
        let settings = checked(&served, settings::settings(&call)?)?;
        let (names, paths): (Vec<_>, Vec<_>) = files.into_iter().map(|file| (file.name, file.path)).unzip();
        let inputs: Vec<Input> = paths.iter().map(|path| Input::from(path.as_path())).collect();
        let sources = eyespot_media::open_all(inputs, &settings.source_options());
        // A video among images would give as many results as it has frames.
        let video = sources.iter().flatten().any(|source| source.fps().is_some());
        if video || sources.len() != 1 {
            return Err(HttpError::bad("images are wanted here: send a video to `inference_video_async`"));
        }
        let total = names.len() as u64;
        let items = Items::Files(names);
        Ok(Plan { served, sources, settings, items, stored: Some(stored), upload: None, total })
    })
    .await
}

/// A request for an uploaded video.
async fn video(app: &Arc<App>, upload: Upload) -> Result<Plan, HttpError> {
    let served = app.served();
    blocking(move || {
        let Upload { call, files, stored } = upload;
        no_upload_mode(&call)?;
        let [file] = files.as_slice() else {
            return Err(HttpError::bad(format!("one video is wanted here, not {} files", files.len())));
        };
        let name = file.name.clone();
        let video = open_video(&file.path, &call, &served);
        let (source, settings, backward, total) = video.map_err(|mut error| {
            error.message = stored.public(&error.message);
            error
        })?;
        let items = Items::Video { name, from: None, backward, tracked: settings.tracking.is_some() };
        Ok(Plan {
            served,
            sources: vec![Ok(source)],
            settings,
            items,
            stored: Some(stored),
            upload: None,
            total,
        })
    })
    .await
}

type OpenVideo = (Box<dyn MediaSource>, Settings, bool, u64);

/// Opens a video and counts its frames.
fn open_video(path: &std::path::Path, call: &Call, served: &Served) -> Result<OpenVideo, HttpError> {
    let range = settings::range(call)?;
    let mut settings = settings::settings(call)?;
    settings.video = range.video;
    settings.tracking = settings::tracking(call)?;
    let settings = checked(served, settings)?;
    let source =
        eyespot_media::open(path, &settings.source_options()).map_err(|error| HttpError::of(&error))?;
    if source.fps().is_none() {
        return Err(HttpError::bad("a video is wanted here: send images to `inference_batch_async`"));
    }
    // Where a file doesn't tell, the client learns of the end when it comes.
    let total = source.frame_count().unwrap_or(0);
    Ok((source, settings, range.backward, total))
}

/// Settings that fit the model.
fn checked(served: &Served, settings: Settings) -> Result<Settings, HttpError> {
    served.model.check(&settings)?;
    Ok(settings)
}

/// Files have no place on a platform that predictions could go to.
fn no_upload_mode(call: &Call) -> Result<(), HttpError> {
    match call.get(&["upload_mode"]) {
        Some(_) => Err(HttpError::bad("`upload_mode` is for items that a platform has: give their ids")),
        None => Ok(()),
    }
}

// With an address.

pub(crate) async fn image_url(State(app): Shared, request: Request) -> Answer {
    let call = upload::json(&app, request).await?;
    if !app.options.fetch_urls {
        return Err(HttpError::forbidden("this server fetches no addresses: send the image"));
    }
    let (name, value) =
        call.get(&["image_url"]).ok_or_else(|| HttpError::bad("`state.image_url` is missing"))?;
    let url = value.as_str().filter(|url| {
        let url = url.to_ascii_lowercase();
        url.starts_with("http://") || url.starts_with("https://")
    });
    let url =
        url.ok_or_else(|| wrong(name, value, "an address that begins with http:// or https://"))?.to_owned();
    let served = app.served();
    let plan = blocking(move || {
        let settings = checked(&served, settings::settings(&call)?)?;
        let source = eyespot_media::open(Input::Url(url.clone()), &settings.source_options());
        let source = source.map_err(|error| HttpError::of(&error))?;
        if source.fps().is_some() {
            return Err(HttpError::bad("an image is wanted here, not a video"));
        }
        let items = Items::Url(url);
        Ok(Plan { served, sources: vec![Ok(source)], settings, items, stored: None, upload: None, total: 1 })
    })
    .await?;
    one(&app, plan).await
}

// With ids.

pub(crate) async fn image_id(State(app): Shared, request: Request) -> Answer {
    let plan = ids_plan(&app, request).await?;
    if plan.total != 1 {
        return Err(HttpError::bad(format!("one image is wanted here, not {}", plan.total)));
    }
    one(&app, plan).await
}

pub(crate) async fn ids(State(app): Shared, request: Request) -> Answer {
    let plan = ids_plan(&app, request).await?;
    Ok(answer(&all(&app, plan).await?.0))
}

pub(crate) async fn ids_async(State(app): Shared, request: Request) -> Answer {
    let plan = ids_plan(&app, request).await?;
    begin(&app, plan)
}

async fn ids_plan(app: &Arc<App>, request: Request) -> Result<Plan, HttpError> {
    let call = upload::json(app, request).await?;
    let (served, platform) = (app.served(), platform(app)?);
    blocking(move || {
        let (name, value) =
            call.get(IMAGE_IDS).ok_or_else(|| HttpError::bad("`state.images_ids` is missing"))?;
        let ids = wholes(name, value)?;
        let images = platform.images(&call.who, &ids).map_err(|error| HttpError::of(&error))?;
        platform_plan(served, platform, &call, images)
    })
    .await
}

pub(crate) async fn project_async(State(app): Shared, request: Request) -> Answer {
    let call = upload::json(&app, request).await?;
    let (served, platform) = (app.served(), platform(&app)?);
    let plan = blocking(move || {
        let (name, value) = call
            .get(&["project_id", "projectId"])
            .ok_or_else(|| HttpError::bad("`state.project_id` is missing"))?;
        let project = whole(name, value)?;
        let datasets = call.get(&["dataset_ids", "datasetIds", "dataset_id"]);
        let datasets = datasets.map_or(Ok(Vec::new()), |(name, value)| wholes(name, value))?;
        let images =
            platform.project(&call.who, project, &datasets).map_err(|error| HttpError::of(&error))?;
        platform_plan(served, platform, &call, images)
    })
    .await?;
    begin(&app, plan)
}

pub(crate) async fn video_id(State(app): Shared, request: Request) -> Answer {
    let plan = video_id_plan(&app, request).await?;
    let (results, video) = all(&app, plan).await?;
    Ok(answer(&json!({"ann": results, "video_ann": video})))
}

pub(crate) async fn video_id_async(State(app): Shared, request: Request) -> Answer {
    let plan = video_id_plan(&app, request).await?;
    begin(&app, plan)
}

async fn video_id_plan(app: &Arc<App>, request: Request) -> Result<Plan, HttpError> {
    let call = upload::json(app, request).await?;
    let (served, platform, stored) = (app.served(), platform(app)?, Stored::new(app)?);
    blocking(move || {
        no_upload_mode(&call)?;
        let (name, value) = call
            .get(&["video_id", "videoId"])
            .ok_or_else(|| HttpError::bad("`state.video_id` is missing"))?;
        let id = whole(name, value)?;
        let video = platform.video(&call.who, id, stored.folder()).map_err(|error| HttpError::of(&error))?;
        let (source, settings, backward, total) = open_video(&video.path, &call, &served)?;
        let tracked = settings.tracking.is_some();
        let items = Items::Video { name: video.name.clone(), from: Some(video), backward, tracked };
        Ok(Plan {
            served,
            sources: vec![Ok(source)],
            settings,
            items,
            stored: Some(stored),
            upload: None,
            total,
        })
    })
    .await
}

fn platform(app: &App) -> Result<Arc<dyn Platform>, HttpError> {
    app.options.platform.clone().ok_or_else(|| {
        HttpError::new(
            StatusCode::NOT_IMPLEMENTED,
            "this server knows no platform that has items: send the files",
        )
    })
}

/// A request for images of a platform.
fn platform_plan(
    served: Arc<Served>,
    platform: Arc<dyn Platform>,
    call: &Call,
    images: Vec<crate::PlatformImage>,
) -> Result<Plan, HttpError> {
    if images.is_empty() {
        return Err(HttpError::bad("there are no images"));
    }
    let settings = checked(&served, settings::settings(call)?)?;
    let upload = match platform_upload(call)? {
        Some(upload) => {
            let uploading = platform.uploading(&call.who, &upload, &images);
            Some(uploading.map_err(|error| HttpError::of(&error))?)
        }
        None => None,
    };
    let total = images.len() as u64;
    let source = PlatformSource::new(platform, call.who.clone(), images.clone(), settings.source_options());
    let sources: Vec<Result<Box<dyn MediaSource>, MediaError>> = vec![Ok(Box::new(source))];
    let items = Items::Images(images);
    Ok(Plan { served, sources, settings, items, stored: None, upload, total })
}

/// What is to become of the predictions.
fn platform_upload(call: &Call) -> Result<Option<PlatformUpload>, HttpError> {
    let project = call.get(&["output_project_id"]).map(|(name, value)| whole(name, value)).transpose()?;
    let asked = call.state.get("upload") == Some(&Value::Bool(true));
    let mode = match call.get(&["upload_mode"]) {
        Some((name, value)) => {
            let modes = ["create", "append", "replace", "iou_merge"];
            let mode = value.as_str().filter(|mode| modes.contains(mode));
            mode.ok_or_else(|| wrong(name, value, "`create`, `append`, `replace` or `iou_merge`"))?
        }
        None if asked || project.is_some() => "append",
        None => return Ok(None),
    };
    let iou = call.get(&["iou_merge_threshold", "existing_objects_iou_thresh"]);
    let iou = match iou {
        Some((name, value)) => {
            let iou = number(name, value)?;
            if !(0.0..=1.0).contains(&iou) {
                return Err(wrong(name, value, "a number from 0 to 1"));
            }
            Some(iou)
        }
        None => None,
    };
    let suffix = call.get(&["model_prediction_suffix"]).and_then(|(_, value)| value.as_str());
    Ok(Some(PlatformUpload { mode: mode.to_owned(), iou, project, suffix: suffix.map(str::to_owned) }))
}

// How they go on.

/// Takes a request on that its client will follow.
fn begin(app: &Arc<App>, plan: Plan) -> Answer {
    let job = app.jobs.add(plan, &app.options.limits)?;
    app.metrics.accepted.add(1);
    Ok(answer(&json!({"message": "Scheduled inference task.", "inference_request_uuid": job.id})))
}

/// Answers with the only result. An image that can't be read is the client's mistake.
async fn one(app: &Arc<App>, plan: Plan) -> Answer {
    let (results, _) = all(app, plan).await?;
    let result = results.into_iter().next().ok_or_else(|| HttpError::internal("there is no result"))?;
    #[derive(serde::Deserialize)]
    struct Failed {
        error: Option<String>,
    }
    match serde_json::from_str::<Failed>(result.get()) {
        Ok(Failed { error: Some(error) }) => Err(HttpError::bad(error)),
        _ => Ok(answer(&result)),
    }
}

/// Waits for all results. A client that hangs up ends the request.
async fn all(app: &Arc<App>, plan: Plan) -> Result<(Vec<Box<RawValue>>, Option<VideoAnnotation>), HttpError> {
    let job = app.jobs.add(plan, &app.options.limits)?;
    app.metrics.accepted.add(1);
    let followed = Followed { app: Arc::clone(app), job };
    let mut all = Vec::new();
    loop {
        let (report, paused) = followed.job.take(Duration::from_secs(3600)).await;
        if paused {
            app.jobs.resume(&followed.job);
        }
        if let Some(message) = report.error() {
            return Err(HttpError::internal(message));
        }
        let finished = report.is_finished();
        all.extend(report.into_results());
        if finished {
            let video = followed.job.video().map(|(video, _)| video);
            return Ok((all, video));
        }
    }
}

/// A request whose client waits for the answer.
struct Followed {
    app: Arc<App>,
    job: Arc<Job>,
}

impl Drop for Followed {
    fn drop(&mut self) {
        self.app.jobs.forget(&self.job.id);
        if self.job.is_over() {
            return;
        }
        let job = Arc::clone(&self.job);
        tokio::task::spawn_blocking(move || job.clear());
    }
}
