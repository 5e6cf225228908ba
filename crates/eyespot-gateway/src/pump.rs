//! From a gateway to a sink.

use eyespot_core::{PredictionsStorage as _, Record, Sink};
use eyespot_wire::DeviceInfo;

use crate::gateway::{Event, Gateway, GatewayCounts, Notice};

/// Passes results on to a sink until the gateway ends.
///
/// `open` makes the sink when the first results come, and again when a device says hello with another name, model or
/// classes; it is given what is known of the device and the sink before, flushed. Results that come before the first
/// hello have a device without a name and classes.
///
/// # Errors
/// The first error of the sink.
pub fn pump<K: Sink>(
    gateway: &mut Gateway,
    mut open: impl FnMut(&DeviceInfo, Option<K>) -> Result<K, K::Error>,
    mut notice: impl FnMut(&Notice),
) -> Result<GatewayCounts, K::Error> {
    let mut device = DeviceInfo::default();
    let mut sink: Option<K> = None;
    let mut stale = true;
    for event in &mut *gateway {
        match event {
            Event::Notice(what) => notice(&what),
            Event::Hello(hello) => {
                stale |= hello != device;
                device = hello;
            }
            Event::Results { info, predictions } => {
                if std::mem::take(&mut stale) {
                    sink.flush()?;
                    sink = Some(open(&device, sink.take())?);
                }
                // The name of the device, as a file's name with the frames of a video.
                let name = Some(device.device.as_str()).filter(|name| !name.is_empty());
                sink.write(&Record { info, name, image: None, predictions: predictions.view() })?;
            }
        }
    }
    sink.flush()?;
    Ok(gateway.counts())
}
