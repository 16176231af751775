//! The files that CloudTrail delivers: unpacked and scanned record by record.
//!
//! Nothing here evaluates a record.

pub mod file;
pub mod gunzip;
pub mod scan;
