//! A real hostapd, without a radio: its control socket and its lists are the same.

use gateway::{AccessPoint, AccessPointError, Mac};
use testkit::Hostapd;

#[test]
fn a_device_is_ejected_and_admitted_again() {
    let Some(hostapd) = Hostapd::start(None) else { return };
    let access_point = AccessPoint::at(&hostapd.socket);
    let (device, other) = (Mac([2, 0, 0x5e, 0, 0, 1]), Mac([2, 0, 0x5e, 0, 0, 2]));
    assert_eq!(access_point.ejected().unwrap(), []);
    access_point.eject(device).unwrap();
    access_point.eject(other).unwrap();
    let mut ejected = access_point.ejected().unwrap();
    ejected.sort();
    assert_eq!(ejected, [device, other]);
    // Twice is once.
    access_point.eject(device).unwrap();
    access_point.admit(device).unwrap();
    assert_eq!(access_point.ejected().unwrap(), [other]);
    access_point.admit(device).unwrap();
    assert_eq!(access_point.ejected().unwrap(), [other]);
}

#[test]
fn an_access_point_that_is_gone_is_said_to_be() {
    let Some(hostapd) = Hostapd::start(None) else { return };
    let access_point = AccessPoint::at(&hostapd.socket);
    let mac = Mac([2, 0, 0x5e, 0, 0, 1]);
    access_point.eject(mac).unwrap();
    drop(hostapd);
    assert!(matches!(access_point.eject(mac), Err(AccessPointError::Io { .. })));
}
