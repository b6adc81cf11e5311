use crate::{
    Condition, Directive, Feature, Manifest, Operation, Parameter, WaitInfo,
    evaluate::each_operation,
    labels::{command, parameter, wait},
};

/// What a platform can do beyond what every platform must.
///
/// A manifest that needs more is refused before anything of it runs, and a capability report says the same: both ask
/// here. Nothing is there by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Abilities {
    /// It can exchange the content of components.
    pub swap: bool,
    /// It has a clock (UM).
    pub clock: bool,
    /// It can measure its battery (UM).
    pub battery: bool,
    /// Its application is asked before an update (UM).
    pub authorization: bool,
    /// It knows the versions of its components (UM).
    pub versions: bool,
    /// Events it can wait for, by their labels (UM); see [`crate::labels::wait`].
    pub events: &'static [i64],
    /// Its storage knows owners, permissions and kinds of files (UM).
    pub metadata: bool,
    /// It has keys that decrypt content (ENC).
    pub decryption: bool,
    /// It takes dependencies, and so has an authority list at hand (TD).
    pub dependencies: bool,
    /// It counts references to components (TD).
    pub references: bool,
}

impl Abilities {
    /// Whether the command with this code can run.
    pub fn command(&self, code: i64) -> bool {
        match code {
            command::USE_BEFORE => self.clock,
            command::MINIMUM_BATTERY => self.battery,
            command::UPDATE_AUTHORIZED => self.authorization,
            command::VERSION => self.versions,
            command::WAIT => !self.events.is_empty(),
            command::SWAP => self.swap,
            command::DEPENDENCY_INTEGRITY | command::IS_DEPENDENCY | command::PROCESS_DEPENDENCY => {
                self.dependencies
            }
            command::UNLINK => self.references,
            _ => true,
        }
    }

    /// Whether the parameter with this label has an effect.
    pub fn parameter(&self, label: i64) -> bool {
        match label {
            parameter::USE_BEFORE => self.clock,
            parameter::MINIMUM_BATTERY => self.battery,
            parameter::UPDATE_PRIORITY => self.authorization,
            parameter::VERSION_MATCH => self.versions,
            parameter::WAIT_INFO => !self.events.is_empty(),
            parameter::COMPONENT_METADATA => self.metadata,
            parameter::ENCRYPTION_INFO => self.decryption,
            _ => true,
        }
    }

    /// The first thing a manifest needs that is not there.
    pub(crate) fn missing(&self, manifest: &Manifest<'_>) -> Option<Feature> {
        if !self.dependencies && !manifest.common().dependencies().is_empty() {
            return Some(Feature::Dependencies);
        }
        let mut missing = None;
        each_operation(manifest, &mut |operation| missing = missing.or_else(|| self.missing_for(operation)));
        missing
    }

    fn missing_for(&self, operation: &Operation<'_>) -> Option<Feature> {
        let code = operation.code();
        if !self.command(code) {
            return Some(Feature::Command(code));
        }
        let mut missing = None;
        operation.each_parameter(&mut |parameter| missing = missing.or_else(|| self.missing_of(parameter)));
        missing
    }

    fn missing_of(&self, parameter: &Parameter<'_>) -> Option<Feature> {
        let label = parameter.label();
        match parameter {
            _ if !self.parameter(label) => Some(Feature::Parameter(label)),
            Parameter::WaitInfo(info) => self.missing_event(info),
            _ => None,
        }
    }

    fn missing_event(&self, info: &WaitInfo<'_>) -> Option<Feature> {
        for event in wait::ALL {
            if info.waits_for(event) && !self.events.contains(&event) {
                return Some(Feature::WaitEvent(event));
            }
        }
        None
    }
}

/// Codes of all commands there are: what the decoder dispatches over.
pub(crate) fn command_codes() -> impl Iterator<Item = i64> {
    let conditions = Condition::ALL.into_iter().map(Condition::code);
    let directives = Directive::ALL.into_iter().map(Directive::code);
    conditions.chain(directives).chain(crate::Control::ALL.into_iter().map(crate::Control::code))
}
