//! Names with a fixed set of values, open for those of a newer platform.

use serde::{Deserialize, Serialize};

/// An enum that is written as text and keeps text that it doesn't know.
macro_rules! text_enum {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(from = "String", into = "String")]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$doc])* $variant,)*
            /// One of a newer platform.
            Other(String),
        }

        impl $name {
            /// As it is written.
            #[must_use]
            pub fn as_str(&self) -> &str {
                match self {
                    $(Self::$variant => $text,)*
                    Self::Other(text) => text,
                }
            }
        }

        impl From<String> for $name {
            fn from(text: String) -> Self {
                match text.as_str() {
                    $($text => Self::$variant,)*
                    _ => Self::Other(text),
                }
            }
        }

        impl From<$name> for String {
            fn from(value: $name) -> Self {
                value.as_str().to_owned()
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

text_enum! {
    /// Which shape the objects of a class have.
    Shape {
        /// Any: each object tells its own.
        Any = "any",
        /// Boxes.
        Rectangle = "rectangle",
        /// Rotated boxes.
        OrientedBox = "oriented_bbox",
        /// Masks.
        Bitmap = "bitmap",
        /// Polygons.
        Polygon = "polygon",
        /// Paths.
        Line = "line",
        /// Points.
        Point = "point",
        /// Keypoints.
        Graph = "graph",
    }
}

text_enum! {
    /// What values a tag has.
    ValueType {
        /// None.
        None = "none",
        /// A number.
        AnyNumber = "any_number",
        /// Text.
        AnyString = "any_string",
        /// One of a list.
        OneOfString = "oneof_string",
        /// A date.
        Date = "date",
    }
}

text_enum! {
    /// What a project holds.
    ProjectType {
        /// Images.
        Images = "images",
        /// Videos.
        Videos = "videos",
    }
}
