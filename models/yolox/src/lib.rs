//! YOLOX.
