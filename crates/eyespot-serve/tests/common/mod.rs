//! A server on loopback with a model that sees what the test put into its images, and a client for it.

#![allow(
    clippy::unwrap_used,
    dead_code,
    unreachable_pub,
    reason = "a failed step is a failed test; not every test needs all of it"
)]

use std::convert::Infallible;
use std::time::Duration;

use eyespot_core::{
    BBox, ClassId, Detection, ErrorType, Frame, ModelSpec, PredictOptions, PredictionsMut, Predictor,
};
use eyespot_runtime::Model;
use eyespot_serve::{Limits, ServeOptions, Server};
use serde_json::{Value, json};

/// Finds one box whose left edge is the red of the first pixel and whose top edge is its green.
pub struct Reader {
    pub wait: Duration,
}

impl ErrorType for Reader {
    type Error = Infallible;
}

impl Predictor for Reader {
    fn spec(&self) -> ModelSpec<'_> {
        ModelSpec::boxes("reader", None, &["thing", "other"])
    }
    fn predict(
        &mut self,
        frame: &Frame<'_>,
        options: &PredictOptions<'_>,
        mut out: PredictionsMut<'_>,
    ) -> Result<(), Infallible> {
        std::thread::sleep(self.wait);
        let [red, green, _] = frame.image.rgb(0, 0);
        let bbox = BBox::from_xywh(f32::from(red), f32::from(green), 10.0, 10.0);
        for (class, score) in [(0, 0.75), (1, 0.375)] {
            if score >= options.conf_or(0.25) && options.classes().keeps(ClassId(class)) {
                out.push(Detection::new(bbox, score, ClassId(class)));
            }
        }
        Ok(())
    }
}

/// A port of its own.
pub fn options() -> ServeOptions {
    ServeOptions { address: "127.0.0.1:0".parse().unwrap(), ..ServeOptions::default() }
}

pub fn limits() -> Limits {
    Limits::default()
}

pub fn start(options: ServeOptions) -> Server {
    start_slow(options, Duration::ZERO)
}

/// A server whose model takes so long for each frame.
pub fn start_slow(options: ServeOptions, wait: Duration) -> Server {
    Server::start(Model::from_predictor(Reader { wait }), options).unwrap()
}

/// A picture of 300 x 300 pixels of this red and green, as a PPM file.
pub fn picture(red: u8, green: u8) -> Vec<u8> {
    let mut file = b"P6 300 300 255\n".to_vec();
    file.extend([red, green, 0].repeat(300 * 300));
    file
}

/// Files as a browser or the SDK sends them.
pub fn multipart(files: &[(&str, &[u8])], state: &Value) -> (String, Vec<u8>) {
    let boundary = "----------------------boundary";
    let mut body = Vec::new();
    for (name, bytes) in files {
        body.extend(
            format!(
                "--{boundary}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\r\n"
            )
            .bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend(b"\r\n");
    }
    body.extend(
        format!(
            "--{boundary}\r\nContent-Disposition: form-data; name=\"state\"\r\nContent-Type: text/plain\r\n\r\n{state}\r\n--{boundary}--\r\n"
        )
        .bytes(),
    );
    (format!("multipart/form-data; boundary={boundary}"), body)
}

/// Asks a server.
pub struct Client {
    agent: ureq::Agent,
    url: String,
    headers: Vec<(String, String)>,
}

impl Client {
    pub fn new(server: &Server) -> Self {
        let config = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(120)))
            .build();
        let url = format!("http://{}", server.address());
        Self { agent: ureq::Agent::new_with_config(config), url, headers: Vec::new() }
    }

    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    pub fn send(&self, path: &str, kind: &str, body: &[u8]) -> (u16, Value) {
        let mut request = self.agent.post(format!("{}/{path}", self.url)).header("content-type", kind);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut response = request.send(body).unwrap();
        let text = response.body_mut().read_to_string().unwrap();
        (response.status().as_u16(), serde_json::from_str(&text).unwrap_or(Value::String(text)))
    }

    pub fn get(&self, path: &str) -> (u16, String) {
        let mut request = self.agent.get(format!("{}/{path}", self.url));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let mut response = request.call().unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    }

    pub fn post(&self, path: &str, body: &Value) -> (u16, Value) {
        self.send(path, "application/json", body.to_string().as_bytes())
    }

    pub fn upload(&self, path: &str, files: &[(&str, &[u8])], state: &Value) -> (u16, Value) {
        let (kind, body) = multipart(files, state);
        self.send(path, &kind, &body)
    }

    /// Starts a request that is followed by its id.
    pub fn begin(&self, path: &str, files: &[(&str, &[u8])], state: &Value) -> String {
        let (status, body) = self.upload(path, files, state);
        assert_eq!(status, 200, "{body}");
        body["inference_request_uuid"].as_str().unwrap().to_owned()
    }

    pub fn about(&self, path: &str, id: &str) -> (u16, Value) {
        self.post(path, &json!({"state": {"inference_request_uuid": id}}))
    }

    /// All results of a request, and its last report.
    pub fn take_all(&self, id: &str) -> (Vec<Value>, Value) {
        let mut all = Vec::new();
        loop {
            let (status, report) = self.about("pop_inference_results", id);
            assert_eq!(status, 200, "{report}");
            let results = report["pending_results"].as_array().unwrap();
            all.extend(results.iter().cloned());
            if report["finished"] == true {
                return (all, report);
            }
        }
    }

    /// A line of the metrics.
    pub fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.get("metrics");
        let line = text.lines().find_map(|line| line.strip_prefix(&format!("eyespot_{name} "))).unwrap();
        line.parse().unwrap()
    }
}

/// Left, top, right and bottom of the first object of a result.
pub fn first_box(result: &Value) -> [i64; 4] {
    let points = &result["annotation"]["objects"][0]["points"]["exterior"];
    [(0, 0), (0, 1), (1, 0), (1, 1)].map(|(corner, axis)| points[corner][axis].as_f64().unwrap() as i64)
}
