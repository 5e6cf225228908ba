//! Which device computes.

use std::path::Path;

use burn::tensor::Device;
use eyespot_core::ErrorKind;

/// What computes, as a user names it: `auto`, `cpu`, `gpu` or, for the second adapter, `gpu:1`. `wgpu` and `vulkan`
/// are other names of `gpu`. `gpu-f16` and `gpu-f16:1` compute in half precision. `flex` is the CPU by Burn, also for networks that the engine of `eyespot-nn` runs faster: to
/// compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DeviceChoice {
    /// A GPU where the build supports them and the machine has one, otherwise the CPU.
    #[default]
    Auto,
    /// The CPU.
    Cpu,
    /// The CPU, by Burn.
    Flex,
    /// A GPU through wgpu: the first, or the one with this number. A software renderer counts as an adapter, but is
    /// only taken where its number is given or there is nothing else.
    Gpu(Option<usize>),
    /// The same in half precision: of numbers with 11 bits, of which many GPUs calculate twice as many at once.
    HalfGpu(Option<usize>),
}

/// A name of a device that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no device {name:?}: give auto, cpu, gpu, gpu:1, gpu-f16 or flex")]
pub struct ParseDeviceError {
    /// The name.
    pub name: String,
}

impl eyespot_core::Error for ParseDeviceError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }
}

impl core::str::FromStr for DeviceChoice {
    type Err = ParseDeviceError;

    fn from_str(name: &str) -> Result<Self, ParseDeviceError> {
        let error = || ParseDeviceError { name: name.to_owned() };
        let lower = name.trim().to_ascii_lowercase();
        let (backend, number) = match lower.split_once(':') {
            Some((backend, number)) => (backend, Some(number.parse().map_err(|_| error())?)),
            None => (lower.as_str(), None),
        };
        match (backend, number) {
            ("auto", None) => Ok(Self::Auto),
            ("cpu", None) => Ok(Self::Cpu),
            ("flex", None) => Ok(Self::Flex),
            ("gpu" | "wgpu" | "vulkan", number) => Ok(Self::Gpu(number)),
            ("gpu-f16" | "wgpu-f16" | "vulkan-f16", number) => Ok(Self::HalfGpu(number)),
            _ => Err(error()),
        }
    }
}

impl core::fmt::Display for DeviceChoice {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Auto => f.write_str("auto"),
            Self::Cpu => f.write_str("cpu"),
            Self::Flex => f.write_str("flex"),
            Self::Gpu(None) => f.write_str("gpu"),
            Self::Gpu(Some(number)) => write!(f, "gpu:{number}"),
            Self::HalfGpu(None) => f.write_str("gpu-f16"),
            Self::HalfGpu(Some(number)) => write!(f, "gpu-f16:{number}"),
        }
    }
}

/// A device that was asked for is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DeviceError {
    /// This build does not support the device.
    #[error("this build can't compute on {device}: build it with the feature {feature}")]
    NotCompiled {
        /// The device.
        device: DeviceChoice,
        /// The feature of this crate that adds it.
        feature: &'static str,
    },
    /// The machine has no such adapter.
    #[error("{device} is not there: this machine has {adapters} graphics adapters, counted from 0")]
    NoAdapter {
        /// The device.
        device: DeviceChoice,
        /// How many adapters there are.
        adapters: usize,
    },
    /// The adapter, or its driver, has no numbers of half precision.
    #[error("{device} can't compute in half precision: use gpu")]
    NoHalf {
        /// The device.
        device: DeviceChoice,
    },
    /// This process uses the adapter in another precision already.
    #[error("{device} is in use in another precision: a process has one for each adapter")]
    Precision {
        /// The device.
        device: DeviceChoice,
    },
    /// The driver refused to open the device.
    #[error("the driver can't open {device}: update it, or compute on the cpu")]
    Driver {
        /// The device.
        device: DeviceChoice,
    },
}

impl eyespot_core::Error for DeviceError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NotCompiled { .. } | Self::NoHalf { .. } => ErrorKind::Unsupported,
            Self::Precision { .. } => ErrorKind::InvalidInput,
            Self::NoAdapter { .. } => ErrorKind::NotFound,
            Self::Driver { .. } => ErrorKind::Device,
        }
    }
}

/// A device that computes. Its display tells which it is.
#[derive(Debug, Clone, PartialEq)]
pub struct BurnDevice {
    device: Device,
    name: String,
}

impl DeviceChoice {
    /// Opens the device for Burn.
    ///
    /// # Errors
    /// [`DeviceError`]. `Auto` fails only where no device is compiled in.
    pub fn open(self) -> Result<BurnDevice, DeviceError> {
        match self {
            Self::Auto => match gpu(self, None, false) {
                Ok(device) => Ok(device),
                Err(_) => cpu(self),
            },
            Self::Cpu | Self::Flex => cpu(self),
            Self::Gpu(number) | Self::HalfGpu(number) => gpu(self, number, true),
        }
    }
}

impl BurnDevice {
    /// The device for Burn's tensors.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// Keeps in a file which kernels are the fastest on the GPU, for the next start: without it each start tries them anew, and
    /// the first frames take seconds. The file may come with a board: its entries name the device, and others pass over
    /// them. One that can't be read or written only costs time. It counts for all GPUs of the process; builds without the
    /// feature `autotune` try nothing.
    pub fn keep_tuning(&self, file: &Path) {
        #[cfg(feature = "autotune")]
        if !self.is_cpu() {
            cubecl_environment::environment::load(file);
        }
        #[cfg(not(feature = "autotune"))]
        let _ = file;
    }

    /// Is it the CPU in host memory?
    #[must_use]
    pub fn is_cpu(&self) -> bool {
        is_host(&self.device)
    }
}

impl core::fmt::Display for BurnDevice {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.name)
    }
}

/// Do tensors of the device lie in host memory?
pub(crate) fn is_host(device: &Device) -> bool {
    #[cfg(feature = "flex")]
    return *device == Device::flex();
    #[cfg(not(feature = "flex"))]
    {
        let _ = device;
        false
    }
}

#[cfg(feature = "flex")]
fn cpu(_: DeviceChoice) -> Result<BurnDevice, DeviceError> {
    Ok(BurnDevice { device: Device::flex(), name: "CPU (flex)".to_owned() })
}

#[cfg(not(feature = "flex"))]
fn cpu(device: DeviceChoice) -> Result<BurnDevice, DeviceError> {
    Err(DeviceError::NotCompiled { device, feature: "flex" })
}

#[cfg(feature = "wgpu")]
fn gpu(choice: DeviceChoice, number: Option<usize>, software: bool) -> Result<BurnDevice, DeviceError> {
    use burn::tensor::{DeviceKind, DeviceType};

    // Drivers panic in places; whatever they do, the caller gets an error that it can react to.
    let guarded = |open: &dyn Fn() -> Option<BurnDevice>| {
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(open))
            .ok()
            .flatten()
            .ok_or(DeviceError::Driver { device: choice })
    };
    let adapters: Vec<Device> = Device::enumerate(DeviceType::Wgpu).into_iter().collect();
    let renderer = Device::wgpu(DeviceKind::Cpu);
    let device = match number {
        Some(number) => adapters.get(number),
        None => adapters
            .iter()
            .find(|device| **device != renderer)
            .or_else(|| adapters.first().filter(|_| software)),
    };
    let Some(device) = device else {
        return Err(DeviceError::NoAdapter { device: choice, adapters: adapters.len() });
    };
    let opened = guarded(&|| {
        let name = device.identity()?.name;
        let kind = if *device == renderer { "software renderer" } else { "GPU" };
        Some(BurnDevice { device: device.clone(), name: format!("{kind} {name} (wgpu)") })
    })?;
    precise(opened, choice)
}

/// The device with numbers of the precision that was asked for. It is set once in a process.
#[cfg(feature = "wgpu")]
fn precise(mut opened: BurnDevice, choice: DeviceChoice) -> Result<BurnDevice, DeviceError> {
    use burn::tensor::{DType, FloatDType};

    let half = matches!(choice, DeviceChoice::HalfGpu(_));
    if half && !opened.device.supports_dtype(DType::F16) {
        return Err(DeviceError::NoHalf { device: choice });
    }
    let wanted = if half { FloatDType::F16 } else { FloatDType::F32 };
    // Refused where it was set before: then that counts.
    let _ = opened.device.configure(wanted);
    if opened.device.settings().float_dtype != wanted {
        return Err(DeviceError::Precision { device: choice });
    }
    if half {
        opened.name.push_str(", half precision");
    }
    Ok(opened)
}

#[cfg(not(feature = "wgpu"))]
fn gpu(device: DeviceChoice, _: Option<usize>, _: bool) -> Result<BurnDevice, DeviceError> {
    Err(DeviceError::NotCompiled { device, feature: "wgpu" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let parse = |name: &str| name.parse::<DeviceChoice>();
        assert_eq!(parse("auto"), Ok(DeviceChoice::Auto));
        assert_eq!(parse(" CPU "), Ok(DeviceChoice::Cpu));
        assert_eq!(parse("flex"), Ok(DeviceChoice::Flex));
        assert_eq!(parse("wgpu"), Ok(DeviceChoice::Gpu(None)));
        assert_eq!(parse("vulkan:1"), Ok(DeviceChoice::Gpu(Some(1))));
        assert_eq!(parse("gpu-f16:1"), Ok(DeviceChoice::HalfGpu(Some(1))));
        for name in ["", "cuda", "gpu:", "gpu:-1", "cpu:0", "auto:1"] {
            assert_eq!(parse(name), Err(ParseDeviceError { name: name.to_owned() }));
        }
        for choice in [
            DeviceChoice::Auto,
            DeviceChoice::Cpu,
            DeviceChoice::Flex,
            DeviceChoice::Gpu(None),
            DeviceChoice::Gpu(Some(3)),
            DeviceChoice::HalfGpu(None),
            DeviceChoice::HalfGpu(Some(2)),
        ] {
            assert_eq!(parse(&choice.to_string()), Ok(choice));
        }
    }

    #[cfg(feature = "flex")]
    #[test]
    fn the_cpu_is_always_there() {
        let cpu = DeviceChoice::Cpu.open().unwrap();
        assert!(cpu.is_cpu());
        assert_eq!(cpu.to_string(), "CPU (flex)");
        assert!(DeviceChoice::Auto.open().is_ok());
    }

    #[cfg(not(feature = "wgpu"))]
    #[test]
    fn a_build_without_gpus_says_so() {
        let error = DeviceChoice::Gpu(None).open().unwrap_err();
        assert_eq!(error.to_string(), "this build can't compute on gpu: build it with the feature wgpu");
    }

    #[cfg(feature = "wgpu")]
    #[test]
    fn an_adapter_that_is_not_there_is_an_error() {
        let error = DeviceChoice::Gpu(Some(99)).open().unwrap_err();
        assert!(matches!(error, DeviceError::NoAdapter { .. }), "{error}");
    }
}
