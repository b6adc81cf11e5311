//! What a TPM quoted, in the terms of the reference values that name PCRs.

use alloc::{
    collections::{BTreeMap, BTreeSet},
    string::String,
    vec::Vec,
};

use corim::{Element, Environment, MeasuredElement, Measurement, MeasurementValues, RegisterId, Release};
use crypto::{Digest, HashAlgorithm};
use eat::{PcrSelection, PcrValues, SignedTpmQuote};

use crate::{Code, Endorsements, Reason};

/// PCRs that only what runs before the operating system extends, and nothing resets but a boot: a digest that does not
/// name its PCRs can be of these alone. In any other somebody could measure later what these should have had.
const FIRMWARE_PCRS: core::ops::RangeInclusive<u8> = 0..=7;

/// How many PCRs a TPM may have.
const MAX_PCRS: u8 = 32;

/// How many states one release may name for the PCRs of one quote.
const MAX_STATES: usize = 64;

/// PCRs that a TPM quoted, with their values where those came along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quoted {
    quote: SignedTpmQuote,
    values: Option<PcrValues>,
}

/// How a release names PCRs.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Form {
    /// Each is an element under its number.
    Elements,
    /// They are integrity registers of one element.
    Registers(Option<MeasuredElement>),
    /// One anonymous digest is over them all; its name tells which they are, or nothing does.
    Digest(Option<String>),
}

/// What a release says of PCRs.
#[derive(Clone, Debug)]
struct Named {
    form: Form,
    /// What each may be, in each bank.
    values: BTreeMap<(HashAlgorithm, u8), Vec<Digest>>,
}

impl Quoted {
    /// A quote with values that were found to be its own, if they came along.
    pub(crate) fn new(quote: SignedTpmQuote, values: Option<PcrValues>) -> Self {
        Self { quote, values }
    }

    /// The elements that were measured, in each form in which a release about the environment names just the PCRs that
    /// were quoted. A smaller selection is signed as well as the one that matters, and is no part of an answer.
    ///
    /// Where only the digest came, a release whose values have that digest tells what they are.
    pub(crate) fn elements(
        &self,
        environment: &Environment,
        endorsements: &Endorsements,
    ) -> Result<Vec<Vec<Element>>, Reason> {
        let (releases, all) = endorsements.references().about(environment);
        let quoted = selection_text(self.quote.selection());
        let (mut found, mut wanted, mut selected) = (Vec::new(), None, false);
        for named in releases.into_iter().flat_map(|release| Named::all(release, environment)) {
            if !named.is_of(self.quote.selection(), &quoted) {
                wanted.get_or_insert_with(|| named.selection());
                continue;
            }
            selected = true;
            if let Some(elements) = self.in_form(&named, &quoted)
                && !found.contains(&elements)
            {
                found.push(elements);
            }
        }
        if !found.is_empty() {
            return Ok(found);
        }
        Err(match wanted {
            _ if selected => Reason::new(Code::DigestMismatch)
                .with("component", quoted)
                .with("measured", self.quote.digest()),
            _ if !all => Code::TooManyReferences.into(),
            Some(wanted) => Reason::new(Code::PcrSelection).with("quoted", quoted).with("expected", wanted),
            None => Code::NoReference.into(),
        })
    }

    fn in_form(&self, named: &Named, quoted: &str) -> Option<Vec<Element>> {
        let value = |values| Element { key: None, values };
        if let Form::Digest(_) = named.form {
            let values = MeasurementValues {
                digests: Vec::from([(*self.quote.digest()).into()]),
                name: Some(quoted.into()),
                ..MeasurementValues::default()
            };
            return Some(Vec::from([value(values)]));
        }
        let values = match &self.values {
            Some(values) => values.clone(),
            None => named.states(self.quote.selection()).find(|state| self.quote.has_values(state))?,
        };
        let mut pcrs: BTreeMap<u8, Vec<corim::Digest>> = BTreeMap::new();
        for (bank, pcr) in each(self.quote.selection()) {
            pcrs.entry(pcr).or_default().push((*values.get(bank, pcr)?).into());
        }
        Some(match &named.form {
            Form::Registers(key) => {
                let registers =
                    pcrs.into_iter().map(|(pcr, digests)| (RegisterId::Number(pcr.into()), digests));
                let values = MeasurementValues {
                    integrity_registers: registers.collect(),
                    ..MeasurementValues::default()
                };
                Vec::from([Element { key: key.clone(), values }])
            }
            _ => {
                let element = |(pcr, digests): (u8, _)| Element {
                    key: Some(MeasuredElement::Number(pcr.into())),
                    values: MeasurementValues { digests, ..MeasurementValues::default() },
                };
                pcrs.into_iter().map(element).collect()
            }
        })
    }
}

impl Named {
    /// What a release says of the PCRs of an environment, in each form in which it does.
    fn all(release: &Release, environment: &Environment) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::new();
        let triples = release.triples.iter().filter(|triple| triple.environment.is_satisfied_by(environment));
        for measurement in triples.flat_map(|triple| &triple.measurements) {
            let Some(new) = Self::of(measurement) else { continue };
            match all.iter_mut().find(|named| named.form == new.form) {
                Some(named) => {
                    for (pcr, values) in new.values {
                        named.values.entry(pcr).or_default().extend(values);
                    }
                }
                None => all.push(new),
            }
        }
        all
    }

    fn of(measurement: &Measurement) -> Option<Self> {
        let Measurement { key, values, .. } = measurement;
        let named = |form, registers: &mut dyn Iterator<Item = (u64, &Vec<corim::Digest>)>| {
            let mut named = Self { form, values: BTreeMap::new() };
            for (number, digests) in registers {
                let pcr = u8::try_from(number).ok().filter(|pcr| *pcr < MAX_PCRS)?;
                for digest in digests.iter().filter_map(corim::Digest::to_crypto) {
                    named.values.entry((digest.algorithm(), pcr)).or_default().push(digest);
                }
            }
            (matches!(named.form, Form::Digest(_)) || !named.values.is_empty()).then_some(named)
        };
        if !values.integrity_registers.is_empty() {
            let registers = values.integrity_registers.iter();
            let mut numbered = registers.filter_map(|(id, digests)| match id {
                RegisterId::Number(number) => Some((*number, digests)),
                RegisterId::Name(_) => None,
            });
            return named(Form::Registers(key.clone()), &mut numbered);
        }
        match key {
            _ if values.digests.is_empty() => None,
            Some(MeasuredElement::Number(number)) => {
                named(Form::Elements, &mut core::iter::once((*number, &values.digests)))
            }
            None => named(Form::Digest(values.name.clone()), &mut core::iter::empty()),
            _ => None,
        }
    }

    /// Whether just these PCRs are named, in each bank that was quoted.
    fn is_of(&self, selection: &[PcrSelection], quoted: &str) -> bool {
        if each(selection).count() == 0 || has_a_bank_twice(selection) {
            return false;
        }
        match &self.form {
            Form::Digest(Some(name)) => name == quoted,
            Form::Digest(None) => each(selection).all(|(_, pcr)| FIRMWARE_PCRS.contains(&pcr)),
            _ => selection.iter().all(|selected| {
                let named: BTreeSet<u8> = self.pcrs_of(selected.bank).collect();
                !named.is_empty() && named == selected.pcrs.iter().copied().collect()
            }),
        }
    }

    fn pcrs_of(&self, bank: HashAlgorithm) -> impl Iterator<Item = u8> + '_ {
        self.values.keys().filter(move |(named, _)| *named == bank).map(|(_, pcr)| *pcr)
    }

    /// The PCRs it names, as a selection is written.
    fn selection(&self) -> String {
        match &self.form {
            Form::Digest(Some(name)) => name.clone(),
            Form::Digest(None) => String::from("PCRs of firmware, 0 to 7"),
            _ => {
                let banks = HashAlgorithm::ALL.into_iter();
                let named =
                    banks.map(|bank| PcrSelection::new(bank, &self.pcrs_of(bank).collect::<Vec<_>>()));
                selection_text(&named.filter(|selection| !selection.pcrs.is_empty()).collect::<Vec<_>>())
            }
        }
    }

    /// Every state that the named values may be in, as far as they are of the selection.
    fn states(&self, selection: &[PcrSelection]) -> impl Iterator<Item = PcrValues> {
        let choices: Vec<(u8, &[Digest])> = each(selection)
            .map(|(bank, pcr)| (pcr, self.values.get(&(bank, pcr)).map_or(&[][..], Vec::as_slice)))
            .collect();
        // One without a value leaves no state at all.
        let count = choices.iter().fold(1usize, |count, (_, values)| count.saturating_mul(values.len()));
        (0..count.min(MAX_STATES)).map(move |mut number| {
            let mut state = PcrValues::new();
            for (pcr, values) in &choices {
                if let Some(value) = values.get(number % values.len()) {
                    state.insert(*pcr, *value);
                }
                number /= values.len();
            }
            state
        })
    }
}

/// Every PCR of a selection with its bank.
fn each(selection: &[PcrSelection]) -> impl Iterator<Item = (HashAlgorithm, u8)> + '_ {
    selection.iter().flat_map(|selected| selected.pcrs.iter().map(move |pcr| (selected.bank, *pcr)))
}

fn has_a_bank_twice(selection: &[PcrSelection]) -> bool {
    let banks: BTreeSet<_> = selection.iter().map(|selected| selected.bank.tpm_id()).collect();
    banks.len() != selection.len()
}

/// A selection as tools of TPMs write it: `sha256:0,4,7+sha384:0`.
fn selection_text(selection: &[PcrSelection]) -> String {
    let bank = |selected: &PcrSelection| {
        let pcrs: Vec<String> = selected.pcrs.iter().map(|pcr| alloc::format!("{pcr}")).collect();
        alloc::format!("{}:{}", selected.bank.short_name(), pcrs.join(","))
    };
    selection.iter().map(bank).collect::<Vec<_>>().join("+")
}
