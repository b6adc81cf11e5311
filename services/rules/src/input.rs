//! A case as rules see it.

use serde_json::{Value, json};
use trust::{Case, Measured};

pub(crate) fn of(case: &Case<'_>) -> Value {
    let component = |component: &Measured| {
        json!({
            "name": component.name,
            "digest": component.digest.map(|digest| digest.to_string()),
            "size": component.size,
        })
    };
    let vector: serde_json::Map<String, Value> = case
        .appraised
        .vector
        .iter()
        .filter(|(_, claim)| *claim != 0)
        .map(|(category, claim)| (category.name().replace('-', "_"), claim.into()))
        .collect();
    let reasons: Vec<&str> = case.appraised.reasons.iter().map(|reason| reason.code.as_str()).collect();
    json!({
        "profile": case.profile,
        "device": hex(case.device),
        "vendor": case.vendor.map(|vendor| hex(&vendor)),
        "class": case.class.map(|class| hex(&class)),
        "debug": case.debug.map(|status| status.name()),
        "bootcount": case.bootcount,
        "sequence_number": case.sequence_number,
        "components": case.components.iter().map(component).collect::<Vec<_>>(),
        "version": case.version,
        "release": case.appraised.release.map(|release| release.to_string()),
        "vector": vector,
        "tier": case.appraised.vector.tier().name(),
        "reasons": reasons,
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
