//! Names of commands and parameters, for whoever shows them.

use crate::{Command, Condition, Control, Directive, Operation, labels::parameter};

impl Command<'_> {
    /// Name of the command in the registry, with hyphens between its words.
    pub fn name(&self) -> &'static str {
        self.operation.name()
    }
}

impl Operation<'_> {
    /// Name of the command in the registry, with hyphens between its words.
    pub fn name(&self) -> &'static str {
        command_name(self.code()).unwrap_or("unknown")
    }
}

impl Condition {
    /// Name in the registry.
    pub fn name(self) -> &'static str {
        match self {
            Self::VendorIdentifier => "vendor-identifier",
            Self::ClassIdentifier => "class-identifier",
            Self::ImageMatch => "image-match",
            Self::UseBefore => "use-before",
            Self::ComponentSlot => "component-slot",
            Self::CheckContent => "check-content",
            Self::DependencyIntegrity => "dependency-integrity",
            Self::IsDependency => "is-dependency",
            Self::Abort => "abort",
            Self::DeviceIdentifier => "device-identifier",
            Self::ImageNotMatch => "image-not-match",
            Self::MinimumBattery => "minimum-battery",
            Self::UpdateAuthorized => "update-authorized",
            Self::Version => "version",
        }
    }
}

impl Directive {
    /// Name in the registry.
    pub fn name(self) -> &'static str {
        match self {
            Self::ProcessDependency => "process-dependency",
            Self::Write => "write",
            Self::Fetch => "fetch",
            Self::Copy => "copy",
            Self::Invoke => "invoke",
            Self::Wait => "wait",
            Self::Swap => "swap",
            Self::Unlink => "unlink",
        }
    }
}

impl Control {
    /// Name in the registry.
    pub fn name(self) -> &'static str {
        match self {
            Self::SetComponentIndex => "set-component-index",
            Self::TryEach => "try-each",
            Self::SetParameters => "set-parameters",
            Self::OverrideParameters => "override-parameters",
            Self::RunSequence => "run-sequence",
            Self::OverrideMultiple => "override-multiple",
            Self::CopyParameters => "copy-params",
        }
    }
}

/// Name of the command with a code.
pub fn command_name(code: i64) -> Option<&'static str> {
    let condition = Condition::from_code(code).map(Condition::name);
    let directive = || Directive::from_code(code).map(Directive::name);
    condition.or_else(directive).or_else(|| Control::from_code(code).map(Control::name))
}

/// Name of the parameter with a label.
pub fn parameter_name(label: i64) -> Option<&'static str> {
    NAMES.iter().find(|(other, _)| *other == label).map(|(_, name)| *name)
}

const NAMES: [(i64, &str); 20] = [
    (parameter::VENDOR_IDENTIFIER, "vendor-identifier"),
    (parameter::CLASS_IDENTIFIER, "class-identifier"),
    (parameter::IMAGE_DIGEST, "image-digest"),
    (parameter::USE_BEFORE, "use-before"),
    (parameter::COMPONENT_SLOT, "component-slot"),
    (parameter::STRICT_ORDER, "strict-order"),
    (parameter::SOFT_FAILURE, "soft-failure"),
    (parameter::IMAGE_SIZE, "image-size"),
    (parameter::CONTENT, "content"),
    (parameter::ENCRYPTION_INFO, "encryption-info"),
    (parameter::URI, "uri"),
    (parameter::SOURCE_COMPONENT, "source-component"),
    (parameter::INVOKE_ARGS, "invoke-args"),
    (parameter::DEVICE_IDENTIFIER, "device-identifier"),
    (parameter::FETCH_ARGUMENTS, "fetch-arguments"),
    (parameter::MINIMUM_BATTERY, "minimum-battery"),
    (parameter::UPDATE_PRIORITY, "update-priority"),
    (parameter::VERSION_MATCH, "version"),
    (parameter::WAIT_INFO, "wait-info"),
    (parameter::COMPONENT_METADATA, "component-metadata"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Parameter, ability::command_codes, labels::command};

    #[test]
    fn everything_has_a_name_of_its_own() {
        let commands: Vec<_> = command_codes().map(|code| (code, command_name(code))).collect();
        for (index, (code, name)) in commands.iter().enumerate() {
            assert!(name.is_some(), "command {code}");
            assert!(commands.iter().skip(index + 1).all(|(_, other)| other != name), "{name:?}");
        }
        for label in Parameter::LABELS {
            assert!(parameter_name(label).is_some(), "parameter {label}");
        }
        assert_eq!(NAMES.len(), Parameter::LABELS.len());
        assert_eq!(command_name(command::SWAP), Some("swap"));
        assert_eq!((command_name(99), parameter_name(99)), (None, None));
    }
}
