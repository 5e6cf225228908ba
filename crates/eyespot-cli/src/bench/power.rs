//! How much power the board takes, where it tells: sensors below `/sys`.

use std::fs::{read_dir, read_to_string};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Pause between two readings of a sensor.
const PAUSE: Duration = Duration::from_millis(100);

/// What tells the power.
#[derive(Debug, PartialEq)]
enum Sensor {
    /// A file in microwatts.
    Power(PathBuf),
    /// Files in millivolts and milliamperes: the INA3221 of Jetson boards.
    Product(PathBuf, PathBuf),
    /// A counter in microjoules that starts again at a limit: the processor's (RAPL).
    Energy(PathBuf, u64),
}

/// Reads the power while something runs.
pub(super) struct Meter {
    sensor: Option<Sensor>,
    start: Instant,
    last: Option<Instant>,
    readings: u32,
    /// Of all readings in watts, or of a counter in joules.
    sum: f64,
    counter: Option<u64>,
}

fn number(path: &Path) -> Option<u64> {
    read_to_string(path).ok()?.trim().parse().ok()
}

/// The sensor of the whole board, or of its processor.
fn find(sys: &Path) -> Option<Sensor> {
    let folders = |path: &str| -> Vec<PathBuf> {
        let entries = read_dir(sys.join(path)).into_iter().flatten().flatten();
        let mut folders: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
        folders.sort();
        folders
    };
    for folder in folders("class/hwmon") {
        // What a Jetson calls its supply: Orin, and the boards before it.
        for channel in 1..=3 {
            let label = read_to_string(folder.join(format!("in{channel}_label"))).unwrap_or_default();
            let supply = matches!(label.trim(), "VDD_IN" | "POM_5V_IN" | "SYS5V");
            let files = ["in", "curr"].map(|kind| folder.join(format!("{kind}{channel}_input")));
            if supply && files.iter().all(|file| number(file).is_some()) {
                let [volts, amperes] = files;
                return Some(Sensor::Product(volts, amperes));
            }
        }
        let power = folder.join("power1_input");
        if number(&power).is_some() {
            return Some(Sensor::Power(power));
        }
    }
    folders("class/powercap").into_iter().find_map(|folder| {
        // The package as a whole, not its parts.
        let name = folder.file_name()?.to_str()?;
        let whole = name.starts_with("intel-rapl:") && name.matches(':').count() == 1;
        let (energy, limit) = (folder.join("energy_uj"), number(&folder.join("max_energy_range_uj"))?);
        (whole && number(&energy).is_some()).then_some(Sensor::Energy(energy, limit))
    })
}

impl Meter {
    pub(super) fn start() -> Self {
        Self::of(find(Path::new("/sys")))
    }

    fn of(sensor: Option<Sensor>) -> Self {
        let mut meter =
            Self { sensor, start: Instant::now(), last: None, readings: 0, sum: 0.0, counter: None };
        meter.sample();
        meter
    }

    /// Reads the sensor if it is time to.
    pub(super) fn sample(&mut self) {
        if self.last.is_none_or(|last| last.elapsed() >= PAUSE) {
            self.read();
        }
    }

    fn read(&mut self) {
        self.last = Some(Instant::now());
        let reading = match &self.sensor {
            None => None,
            Some(Sensor::Power(power)) => number(power).map(|power| power as f64 / 1e6),
            Some(Sensor::Product(volts, amperes)) => {
                number(volts).zip(number(amperes)).map(|(volts, amperes)| (volts * amperes) as f64 / 1e6)
            }
            Some(Sensor::Energy(energy, limit)) => number(energy).map(|now| {
                let before = self.counter.replace(now).unwrap_or(now);
                let passed = if now >= before { now - before } else { now + limit - before };
                passed as f64 / 1e6
            }),
        };
        if let Some(reading) = reading {
            self.readings += 1;
            self.sum += reading;
        }
    }

    /// The mean power since the start.
    pub(super) fn watts(&mut self) -> Option<f64> {
        self.read();
        let time = match self.sensor {
            Some(Sensor::Energy(..)) => self.start.elapsed().as_secs_f64(),
            _ => f64::from(self.readings),
        };
        (self.readings > 0).then(|| self.sum / time)
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{create_dir_all, write};

    use super::*;

    #[test]
    fn the_sensor_of_a_jetson_is_preferred_to_that_of_a_processor() {
        let sys = tempfile::tempdir().unwrap();
        assert_eq!(find(sys.path()), None);
        let file = |name: &str, content: &str| {
            let path = sys.path().join(name);
            create_dir_all(path.parent().unwrap()).unwrap();
            write(path, content).unwrap();
        };
        let rapl = "class/powercap/intel-rapl:0";
        file(&format!("{rapl}/max_energy_range_uj"), "262143328850\n");
        file(&format!("{rapl}/energy_uj"), "262143328000\n");
        let mut meter = Meter::of(find(sys.path()));
        assert!(matches!(meter.sensor, Some(Sensor::Energy(..))));
        // The counter has started again: 850 uJ to its end, 2 J after it.
        file(&format!("{rapl}/energy_uj"), "2000000\n");
        let watts = meter.watts().unwrap();
        assert!((meter.sum - 2.000_85).abs() < 1e-9 && watts > 0.0, "{}", meter.sum);

        file("class/hwmon/hwmon2/power1_input", "7250000\n");
        assert_eq!(Meter::of(find(sys.path())).watts(), Some(7.25));
        file("class/hwmon/hwmon1/in1_label", "VDD_IN\n");
        file("class/hwmon/hwmon1/in1_input", "5000\n");
        file("class/hwmon/hwmon1/curr1_input", "1500\n");
        assert_eq!(Meter::of(find(sys.path())).watts(), Some(7.5));
        assert_eq!(Meter::of(None).watts(), None);
    }
}
