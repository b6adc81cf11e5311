//! From bytes to a [`MudFile`]: RFC 7951 encoding of `ietf-mud`, `ietf-acldns` and `ietf-access-control-list`.

use alloc::collections::BTreeSet;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::error::{Error, SchemaFault};
use crate::finding::{Finding, Severity, rules};
use crate::json::{Document, Node};
use crate::model::MudFile;
use crate::url::MudUrl;
use cursor::{Field, Findings, Module, Object, Path};

mod acl;
mod cursor;
mod extensions;
mod head;
mod matches;
mod metadata;

pub use head::Head;

/// Access control lists in one file.
pub const MAX_ACLS: usize = 64;
/// Access control entries in one file, over all lists.
pub const MAX_ACES: usize = 2000;
/// Distinct domain names in one file.
pub const MAX_NAMES: usize = 500;
/// Entries of any other list.
pub const MAX_ENTRIES: usize = 1024;

/// What the reader knows besides the bytes.
#[derive(Clone, Copy, Debug, Default)]
pub struct Context<'c> {
    /// The MUD URL of the device, from which the file was fetched. Without it the `mud-url` inside is believed.
    pub fetched_url: Option<&'c str>,
    /// An administrator, or a signature by the same signer, authorised that the `mud-url` inside differs.
    pub move_authorised: bool,
    /// The URL of the device can never change, because it stands in a certificate of the factory.
    pub url_is_fixed: bool,
    /// What to do about literal addresses.
    pub addresses: Addresses,
}

/// A file with literal addresses should not be implemented automatically (RFC 8520, section 2).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Addresses {
    /// They wait for a person's approval.
    #[default]
    Hold,
    /// The site trusts its authors with them; they are only noted.
    Allow,
}

/// A well-formed file and what there is to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed {
    /// The file.
    pub file: MudFile,
    /// Findings in the order of the file. Those that depend on the direction of a list come from
    /// [`crate::compile`].
    pub findings: Vec<Finding>,
}

/// Reads a MUD file.
///
/// # Errors
/// When the bytes are not JSON, break a rule of the YANG modules, exceed a limit, or belong to another MUD URL. Nothing
/// of such a file may be applied.
pub fn parse(bytes: &[u8], context: &Context<'_>) -> Result<Parsed, Error> {
    let document = Document::parse(bytes)?;
    let mut reading = Reading {
        document: &document,
        context,
        findings: Findings(Vec::new()),
        aces: 0,
        names: BTreeSet::new(),
        classes: BTreeSet::new(),
        my_controller: false,
    };
    let root = Field { node: &document.root, path: Path::ROOT };
    let file = reading.root(&root)?;
    Ok(Parsed { file, findings: reading.findings.0 })
}

/// What is known while reading one file.
struct Reading<'r, 'a> {
    document: &'r Document<'a>,
    context: &'r Context<'r>,
    findings: Findings,
    /// Entries so far, over all lists.
    aces: usize,
    /// Distinct names so far.
    names: BTreeSet<String>,
    /// Controller classes that were reported; once each is enough.
    classes: BTreeSet<String>,
    my_controller: bool,
}

/// Why a part is not understood, and how much is lost with it.
enum Refusal {
    File(Error),
    Ace(Finding),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::File(error)
    }
}

impl Reading<'_, '_> {
    fn root(&mut self, root: &Field<'_, '_>) -> Result<MudFile, Error> {
        let mut object = root.object(Module::Root)?;
        let mud = object.need(&mut self.findings, Module::Mud, "mud")?;
        let mut file = self.metadata(&mud)?;
        if let Some(acls) = self.container_of_lists(&mut object)? {
            file.acls = self.acls(&acls)?;
        }
        object.ignore_rest(&mut self.findings, &rules::UNKNOWN_NODE);
        self.check_url(&file, &mud)?;
        self.check_policies(&file, &mud)?;
        crate::lint::lint(&file, self.context, &mut self.findings.0);
        Ok(file)
    }

    /// `acls`, or `access-lists` as the container was called in drafts and still is by the most used tool.
    fn container_of_lists<'p, 'a>(
        &mut self,
        root: &mut Object<'p, 'a>,
    ) -> Result<Option<Field<'p, 'a>>, Error> {
        let acls = root.take(&mut self.findings, Module::Acl, "acls")?;
        let Some(old) = root.take(&mut self.findings, Module::Acl, "access-lists")? else { return Ok(acls) };
        if acls.is_some() {
            return Err(old.error(SchemaFault::DuplicateMember("acls")));
        }
        self.findings.add(&rules::OLD_CONTAINER, &old.path, "the container is called `acls`");
        Ok(Some(old))
    }

    /// A file speaks for the URL it was fetched from, for its neighbours in the same folder, or for an authorised new
    /// place (threats A2 and A3: a file of another product).
    fn check_url(&mut self, file: &MudFile, mud: &Field<'_, '_>) -> Result<(), Error> {
        let Some(fetched) = self.context.fetched_url else { return Ok(()) };
        let fetched = MudUrl::parse(fetched).ok_or(Error::BadContextUrl)?;
        if fetched == file.mud_url {
            return Ok(());
        }
        let found = file.mud_url.to_string();
        let rule = if self.context.move_authorised {
            &rules::URL_MOVED
        } else if fetched.same_folder(&file.mud_url) {
            &rules::URL_FILE_NAME
        } else {
            return Err(Error::Moved { fetched: fetched.to_string(), found });
        };
        let message = format!("fetched from {fetched}, but the file says {found}");
        self.findings.add(rule, &mud.path, message);
        Ok(())
    }

    fn check_policies(&self, file: &MudFile, mud: &Field<'_, '_>) -> Result<(), Error> {
        for name in file.from_device_policy.iter().chain(&file.to_device_policy).flatten() {
            if !file.acls.iter().any(|acl| acl.name == *name) {
                return Err(mud.error(SchemaFault::UnknownAcl(name.clone())));
            }
        }
        Ok(())
    }

    /// Literal addresses weigh what the site says.
    fn literal_address(&mut self, path: &Path<'_>, message: String) {
        let finding = Finding::new(&rules::LITERAL_ADDRESS, path.pointer(), message);
        self.findings.0.push(match self.context.addresses {
            Addresses::Hold => finding,
            Addresses::Allow => finding.weighing(Severity::Note),
        });
    }

    fn raw(&self, node: &Node<'_>) -> String {
        self.document.raw(node).into()
    }
}

#[cfg(test)]
mod tests;
