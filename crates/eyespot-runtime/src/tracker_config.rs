//! The trackers and their settings by name.

use eyespot_track::{
    BotSortConfig, BoxFilter, ByteTrackConfig, ClassPolicy, Clock, ConfigError, OcSortConfig, SortConfig,
};

/// A tracker and its settings.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum TrackerConfig {
    /// BoT-SORT.
    BotSort(BotSortConfig),
    /// ByteTrack.
    ByteTrack(ByteTrackConfig),
    /// OC-SORT.
    OcSort(OcSortConfig),
    /// SORT.
    Sort(SortConfig),
}

impl Default for TrackerConfig {
    fn default() -> Self {
        Self::BotSort(BotSortConfig::default())
    }
}

impl TrackerConfig {
    /// A tracker by its name, with its default settings.
    pub(crate) fn parse(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "botsort" => Ok(Self::BotSort(BotSortConfig::default())),
            "bytetrack" => Ok(Self::ByteTrack(ByteTrackConfig::default())),
            "ocsort" => Ok(Self::OcSort(OcSortConfig::default())),
            "sort" => Ok(Self::Sort(SortConfig::default())),
            _ => Err("there are botsort, bytetrack, ocsort and sort".to_owned()),
        }
    }

    /// Its name, and the names of its settings.
    pub(crate) const fn names(&self) -> (&'static str, &'static [&'static str]) {
        match self {
            Self::BotSort(_) => ("botsort", BOTSORT),
            Self::ByteTrack(_) => ("bytetrack", BYTETRACK),
            Self::OcSort(_) => ("ocsort", OCSORT),
            Self::Sort(_) => ("sort", SORT),
        }
    }

    /// Changes a setting. `false` if it has none of this name.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> Result<bool, String> {
        match self {
            Self::BotSort(config) => set_botsort(config, name, value),
            Self::ByteTrack(config) => set_bytetrack(config, name, value),
            Self::OcSort(config) => set_ocsort(config, name, value),
            Self::Sort(config) => set_sort(config, name, value),
        }
    }

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        self.names().0
    }

    /// Its settings and their values, as [`Tracking::parse`](crate::Tracking::parse) reads them.
    #[must_use]
    pub fn settings(&self) -> Vec<(&'static str, String)> {
        match self {
            Self::BotSort(config) => get_botsort(config),
            Self::ByteTrack(config) => get_bytetrack(config),
            Self::OcSort(config) => get_ocsort(config),
            Self::Sort(config) => get_sort(config),
        }
    }

    /// The frame rate, for the trackers that count in time.
    pub(crate) const fn fps(&mut self) -> Option<&mut f32> {
        match self {
            Self::BotSort(config) => Some(&mut config.fps),
            Self::ByteTrack(config) => Some(&mut config.fps),
            Self::OcSort(_) | Self::Sort(_) => None,
        }
    }

    /// Checks every setting.
    pub(crate) fn validate(&self) -> Result<(), ConfigError> {
        match self {
            Self::BotSort(config) => config.validate(),
            Self::ByteTrack(config) => config.validate(),
            Self::OcSort(config) => config.validate(),
            Self::Sort(config) => config.validate(),
        }
    }
}

/// The names of settings, and a function that reads the named one.
macro_rules! by_name {
    ($names:ident, $set:ident, $get:ident, $config:ty, $($name:literal => $($field:ident).+),+ $(,)?) => {
        const $names: &[&str] = &[$($name),+];

        fn $get(config: &$config) -> Vec<(&'static str, String)> {
            vec![$(($name, Value::write(&config.$($field).+))),+]
        }

        fn $set(config: &mut $config, name: &str, value: &str) -> Result<bool, String> {
            match name {
                $($name => config.$($field).+ = Value::read(value)?,)+
                _ => return Ok(false),
            }
            Ok(true)
        }
    };
}

by_name!(BOTSORT, set_botsort, get_botsort, BotSortConfig,
    "track_high_thresh" => track_high_thresh,
    "track_low_thresh" => track_low_thresh,
    "new_track_thresh" => new_track_thresh,
    "track_buffer" => track_buffer,
    "match_thresh" => match_thresh,
    "second_match_thresh" => second_match_thresh,
    "unconfirmed_match_thresh" => unconfirmed_match_thresh,
    "proximity_thresh" => proximity_thresh,
    "appearance_thresh" => appearance_thresh,
    "fuse_score" => fuse_score,
    "height_iou" => height_iou,
    "score_change_weight" => score_change_weight,
    "second_match_lost" => second_match_lost,
    "new_track_iou" => new_track_iou,
    "box_filter" => box_filter,
    "match_last_seen" => match_last_seen,
    "std_weight_position" => std_weight_position,
    "std_weight_velocity" => std_weight_velocity,
    "duplicate_iou" => duplicate_iou,
    "min_box_area" => min_box_area,
    "aspect_ratio_thresh" => aspect_ratio_thresh,
    "clock" => clock,
    "class_policy" => class_policy,
    "report_unconfirmed" => report_unconfirmed,
    "inclusive_pixels" => inclusive_pixels,
    "original_oddities" => original_oddities,
);

by_name!(BYTETRACK, set_bytetrack, get_bytetrack, ByteTrackConfig,
    "track_thresh" => track_thresh,
    "high_thresh" => high_thresh,
    "match_thresh" => match_thresh,
    "track_buffer" => track_buffer,
    "fuse_score" => fuse_score,
    "match_last_seen" => match_last_seen,
    "min_box_area" => min_box_area,
    "clock" => clock,
    "class_policy" => class_policy,
);

by_name!(OCSORT, set_ocsort, get_ocsort, OcSortConfig,
    "det_thresh" => sort.det_thresh,
    "iou_threshold" => sort.iou_threshold,
    "max_age" => sort.max_age,
    "min_hits" => sort.min_hits,
    "delta_t" => delta_t,
    "inertia" => inertia,
);

by_name!(SORT, set_sort, get_sort, SortConfig,
    "det_thresh" => det_thresh,
    "iou_threshold" => iou_threshold,
    "max_age" => max_age,
    "min_hits" => min_hits,
);

/// A value of a setting.
pub(crate) trait Value: Sized {
    fn read(text: &str) -> Result<Self, String>;
    fn write(&self) -> String;
}

macro_rules! parsed {
    ($($kind:ty: $what:literal),+ $(,)?) => {
        $(impl Value for $kind {
            fn read(text: &str) -> Result<Self, String> {
                text.parse().map_err(|_| format!("`{text}` is no value for it: give {}", $what))
            }
            fn write(&self) -> String {
                self.to_string()
            }
        })+
    };
}

parsed!(f32: "a number", u32: "a whole number", u16: "a whole number", u8: "a whole number", bool: "true or false");

macro_rules! chosen {
    ($kind:ty, $list:literal, $($name:literal => $value:path),+ $(,)?) => {
        impl Value for $kind {
            fn read(text: &str) -> Result<Self, String> {
                match text.to_ascii_lowercase().as_str() {
                    $($name => Ok($value),)+
                    _ => Err(format!("`{text}` is no value for it: give {}", $list)),
                }
            }
            fn write(&self) -> String {
                match self {
                    $($value => $name.to_owned(),)+
                }
            }
        }
    };
}

chosen!(BoxFilter, "sides or aspect", "sides" => Self::Sides, "aspect" => Self::Aspect);
chosen!(Clock, "index or timestamp", "index" => Self::Index, "timestamp" => Self::Timestamp);
chosen!(ClassPolicy, "vote, gated or isolated",
    "vote" => Self::Vote, "gated" => Self::Gated, "isolated" => Self::Isolated);
