//! Entries of FreeRADIUS's `authorize` file, for access servers that ask when a device connects.

use std::fmt::Write as _;

use super::filter::Filter;
use super::packet::{Attribute, RadiusError};
use crate::Mac;

/// An entry that adds a device's rules to whatever answer it gets; whether it may connect is for others to say. FreeRADIUS 3
/// parts and joins rules itself, so that each has a line. Refused are rules that no answer has room for.
pub fn authorize_entry(mac: Mac, filter: &Filter) -> Result<String, RadiusError> {
    filter.attributes()?;
    let station = Attribute::calling_station(mac);
    let mut entry =
        format!("DEFAULT Calling-Station-Id == \"{}\"\n", String::from_utf8_lossy(station.value()));
    for rule in &filter.rules {
        let _infallible = writeln!(entry, "\tNAS-Filter-Rule += \"{rule}\",");
    }
    entry.push_str("\tFall-Through = Yes\n");
    Ok(entry)
}
