//! ONNX Runtime, its library loaded at run time.

use std::path::{Path, PathBuf};
use std::sync::{OnceLock, mpsc};
use std::time::Duration;

use half::f16;
use ort::logging::LogLevel;
use ort::session::{Session, SessionInputValue};
use ort::value::{DynValue, Tensor as Value, TensorElementType, ValueRef};

use super::{Engine, Input, Tensor};
use crate::{Element, OnnxError};

const NAME: &str = "ONNX Runtime";

/// How long a library may take to load. In this version of `ort` a file that is no ONNX Runtime hangs for ever.
const PATIENCE: Duration = Duration::from_secs(20);

/// Files that may be the library: what the user says, beside the program, and where systems and packages put it.
/// Only those that are there: `ort` hangs where it can't open one.
fn places() -> Result<Vec<PathBuf>, String> {
    if let Some(path) = std::env::var_os("ORT_DYLIB_PATH").filter(|path| !path.is_empty()) {
        let path = PathBuf::from(path);
        return if path.is_file() {
            Ok(vec![path])
        } else {
            Err(format!("there is no file {}", path.display()))
        };
    }
    let name = format!("{}onnxruntime{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let names = if cfg!(target_os = "linux") { vec![name.clone(), format!("{name}.1")] } else { vec![name] };
    let mut folders: Vec<PathBuf> = Vec::new();
    folders.extend(std::env::current_exe().ok().and_then(|program| program.parent().map(PathBuf::from)));
    for variable in ["LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "PATH"] {
        folders.extend(std::env::var_os(variable).iter().flat_map(std::env::split_paths));
    }
    let lib =
        ["/usr/local/lib", "/opt/onnxruntime/lib", "/opt/homebrew/lib", "/usr/lib", "/usr/lib64", "/lib"];
    folders.extend(lib.map(PathBuf::from));
    folders.push(Path::new("/usr/lib").join(format!("{}-linux-gnu", std::env::consts::ARCH)));
    let files = folders.iter().flat_map(|folder| names.iter().map(|name| folder.join(name)));
    Ok(files.filter(|file| file.is_file()).collect())
}

/// Loads the library, once for all models.
fn library() -> Result<(), OnnxError> {
    static LOADED: OnceLock<Result<(), String>> = OnceLock::new();
    let loaded = LOADED.get_or_init(|| {
        let mut reason = "its library was not found".to_owned();
        for place in places()? {
            match load(place.clone()) {
                Some(Ok(())) => return Ok(()),
                Some(Err(error)) => reason = error,
                // No second try: it would hang as well.
                None => return Err(format!("{} can't be loaded", place.display())),
            }
        }
        Err(reason)
    });
    loaded.clone().map_err(|reason| OnnxError::Library { reason })
}

/// Loads a file; `None` where that has no end.
fn load(place: PathBuf) -> Option<Result<(), String>> {
    let (done, loaded) = mpsc::channel();
    std::thread::spawn(move || {
        let result = ort::init_from(&place).map_err(|error| error.to_string()).map(|environment| {
            environment.with_name("eyespot").with_telemetry(false).commit();
        });
        // Whoever asked may have given up.
        let _ = done.send(result);
    });
    loaded.recv_timeout(PATIENCE).ok()
}

fn failed(error: impl std::fmt::Display) -> OnnxError {
    OnnxError::Engine { engine: NAME, reason: error.to_string() }
}

/// A graph in ONNX Runtime.
pub(super) struct OnnxRuntime {
    session: Session,
}

impl OnnxRuntime {
    pub(super) fn open(path: &Path) -> Result<Self, OnnxError> {
        library()?;
        // Exporters leave things that it would warn about, hundreds of lines for some models.
        let builder = Session::builder().map_err(failed)?;
        let mut builder = builder.with_log_level(LogLevel::Error).map_err(failed)?;
        Ok(Self { session: builder.commit_from_file(path).map_err(failed)? })
    }
}

impl Engine for OnnxRuntime {
    fn name(&self) -> &str {
        NAME
    }

    fn run(&mut self, inputs: &[Input]) -> Result<Vec<Tensor>, OnnxError> {
        let inputs = inputs.iter().map(|input| Ok((input.name.as_str(), value(input).map_err(failed)?)));
        let inputs = inputs.collect::<Result<Vec<_>, OnnxError>>()?;
        let outputs = self.session.run(inputs).map_err(failed)?;
        outputs.iter().map(|(_, output)| tensor(&output).map_err(failed)).collect()
    }
}

fn value(input: &Input) -> ort::Result<SessionInputValue<'static>> {
    fn of<T: ort::value::PrimitiveTensorElementType + std::fmt::Debug + Clone + 'static>(
        tensor: &Tensor,
        convert: impl Fn(f32) -> T,
    ) -> ort::Result<DynValue> {
        let values: Vec<T> = tensor.values.iter().map(|&value| convert(value)).collect();
        Ok(Value::from_array((tensor.dims.clone(), values))?.into_dyn())
    }
    // Casts saturate.
    let tensor = &input.tensor;
    let value = match input.element {
        Element::F32 => of(tensor, |value| value),
        Element::F16 => of(tensor, f16::from_f32),
        Element::F64 => of(tensor, f64::from),
        Element::U8 => of(tensor, |value| value as u8),
        Element::I8 => of(tensor, |value| value as i8),
        Element::I32 => of(tensor, |value| value as i32),
        Element::I64 => of(tensor, |value| value as i64),
        Element::Bool => of(tensor, |value| value != 0.0),
    };
    Ok(value?.into())
}

fn tensor(output: &ValueRef<'_>) -> ort::Result<Tensor> {
    fn of<T: ort::value::PrimitiveTensorElementType>(
        output: &ValueRef<'_>,
        convert: impl Fn(&T) -> f32,
    ) -> ort::Result<Tensor> {
        let (shape, values) = output.try_extract_tensor::<T>()?;
        let dims = shape.iter().map(|&size| usize::try_from(size).unwrap_or(0)).collect();
        Ok(Tensor { dims, values: values.iter().map(convert).collect() })
    }
    match output.dtype().tensor_type() {
        Some(TensorElementType::Float16) => of(output, |value: &f16| value.to_f32()),
        Some(TensorElementType::Float64) => of(output, |&value: &f64| value as f32),
        Some(TensorElementType::Uint8) => of(output, |&value: &u8| value.into()),
        Some(TensorElementType::Int8) => of(output, |&value: &i8| value.into()),
        Some(TensorElementType::Int32) => of(output, |&value: &i32| value as f32),
        Some(TensorElementType::Int64) => of(output, |&value: &i64| value as f32),
        Some(TensorElementType::Bool) => of(output, |&value: &bool| u8::from(value).into()),
        _ => of(output, |&value: &f32| value),
    }
}
