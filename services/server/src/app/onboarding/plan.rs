//! What a device is given: a template, which people write, becomes a program of service information.

use std::collections::BTreeMap;

use crypto::{Digest, HashAlgorithm, Zeroizing};
use fdo::{
    provision::{MODULE, Network, Provision},
    service_info::{
        Action, ObjectId, Program, ProgramId, ServiceFault, Step,
        modules::{Fetch, Order},
    },
};
use store::Onboarding;

use crate::app::{App, Failure};

/// Everything about one device that does not change while it is onboarded.
pub(super) struct Plan {
    pub(super) template: api::OnboardingTemplate,
    pub(super) program: Program,
    /// What the device is given by our own module, encoded.
    pub(super) provision: Zeroizing<Vec<u8>>,
    /// Contents of files for it, by number.
    pub(super) contents: Vec<Vec<u8>>,
}

/// Step of our own module in which the device attests.
pub(super) const ATTEST: ObjectId = ObjectId(1);
/// Step of our own module in which it is given what it needs.
pub(super) const PROVISION: ObjectId = ObjectId(2);

/// Name of the template for devices of groups that have none.
pub(super) const DEFAULT: &str = "default";
/// Bytes of output that a command may have.
const MAX_OUTPUT: u64 = 64 * 1024;

impl App {
    /// The template for a device: its own, that of its group, the one for all, or what is there without any.
    pub(super) fn template_of(&self, device: &Onboarding) -> Result<api::OnboardingTemplate, Failure> {
        let templates = self.onboarding_templates();
        if !device.template.is_empty() {
            let own = templates.get(&device.template).cloned();
            return own
                .ok_or_else(|| Failure::Conflict(format!("there is no template `{}`", device.template)));
        }
        let found = templates.get(&device.group).or_else(|| templates.get(DEFAULT));
        Ok(found.cloned().unwrap_or_default())
    }

    /// What a device is given.
    pub(super) async fn plan(&self, device: &Onboarding) -> Result<Plan, Failure> {
        let template = self.template_of(device)?;
        let provision = self.provision(&template).await?;
        let provision = provision.encode().map_err(|error| Failure::Fault(error.to_string()))?;
        let contents: Vec<Vec<u8>> = template.downloads.iter().map(|file| file.content.0.clone()).collect();
        // Whoever changes what a device is given ends sessions that have begun with something else.
        let document = serde_json::to_vec(&template).map_err(|error| Failure::Fault(error.to_string()))?;
        let digest = Digest::of(HashAlgorithm::Sha256, &[document, provision.to_vec()].concat());
        let mut id = [0; 16];
        id.copy_from_slice(&digest.as_bytes()[..16]);
        let program = Program::new(ProgramId(id), steps(&template));
        let program = program.map_err(|fault: ServiceFault| Failure::Fault(fault.to_string()))?;
        Ok(Plan { template, program, provision, contents })
    }

    async fn provision(&self, template: &api::OnboardingTemplate) -> Result<Provision, Failure> {
        let authorities = self.store.authorities().await?.map(|stored| stored.bytes);
        let networks = template.networks.iter().map(|network| Network {
            ssid: network.ssid.clone(),
            password: network.password.clone().map(Zeroizing::new),
        });
        Ok(Provision {
            server: template.server.clone().unwrap_or_else(|| self.public_url.clone()),
            server_anchors: self.own_certificates.clone(),
            authorities,
            update_server_key: Some(self.update_key.public.clone()),
            result_key: Some(self.result_key.public.clone()),
            gateway: template.gateway.clone(),
            networks: networks.collect(),
        })
    }

    /// The templates, as last read.
    pub(crate) fn onboarding_templates(&self) -> std::sync::Arc<BTreeMap<String, api::OnboardingTemplate>> {
        self.templates.read().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// Reads the templates again.
    pub(crate) async fn read_onboarding_templates(&self) -> Result<(), store::Error> {
        let mut read = BTreeMap::new();
        for stored in self.store.onboarding_templates().await? {
            match serde_json::from_value(stored.document) {
                Ok(template) => _ = read.insert(stored.name, template),
                Err(error) => {
                    tracing::error!(name = stored.name, %error, "a template of onboarding cannot be read");
                }
            }
        }
        *self.templates.write().unwrap_or_else(|poisoned| poisoned.into_inner()) = std::sync::Arc::new(read);
        Ok(())
    }

    /// Sets a template, or takes it away. One that makes no program is refused.
    pub(crate) async fn set_onboarding_template(
        &self,
        name: &str,
        template: Option<api::OnboardingTemplate>,
        actor: &str,
    ) -> Result<(), Failure> {
        if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
            return Err(Failure::Malformed(format!(
                "a name has 1 to {MAX_NAME} bytes and no control characters"
            )));
        }
        let (document, told) = match &template {
            None => (None, serde_json::json!({})),
            Some(template) => {
                check(template)?;
                let told = serde_json::to_value(template.without_secrets());
                let document = serde_json::to_value(template);
                let fault = |error: serde_json::Error| Failure::Fault(error.to_string());
                (Some(document.map_err(fault)?), told.map_err(fault)?)
            }
        };
        let now = self.now();
        self.store.set_onboarding_template(name.to_owned(), document, told, actor, now).await?;
        Ok(self.read_onboarding_templates().await?)
    }
}

/// Longest name of a template in bytes.
const MAX_NAME: usize = 128;
/// Bytes of all files of a template.
const MAX_FILES: usize = 256 * 1024;
/// The longest upload in bytes.
const MAX_UPLOAD: u64 = 16 << 20;

fn check(template: &api::OnboardingTemplate) -> Result<(), Failure> {
    let malformed = |what: String| Err(Failure::Malformed(what));
    let size: usize = template.downloads.iter().map(|file| file.content.0.len()).sum();
    if size > MAX_FILES {
        return malformed(format!("files of a template have at most {MAX_FILES} bytes"));
    }
    if template.uploads.iter().any(|upload| upload.max_bytes > MAX_UPLOAD) {
        return malformed(format!("an upload has at most {MAX_UPLOAD} bytes"));
    }
    let too_long = |url: &String| url.len() > fdo::provision::MAX_URL_LEN;
    // Devices prove themselves to a gateway by signatures, on their own link.
    if let Some(url) = template.gateway.as_ref().filter(|url| !url.starts_with("http://") || too_long(url)) {
        return malformed(format!("not the URL of a gateway: {url}"));
    }
    for url in template.server.iter().chain(template.fetches.iter().map(|fetch| &fetch.url)) {
        if !url.starts_with("https://") || too_long(url) {
            return malformed(format!("not the URL of a server that proves itself: {url}"));
        }
    }
    for fetch in &template.fetches {
        if fetch.sha384.as_ref().is_some_and(|hash| hash.0.len() != 48) {
            return malformed("a SHA-384 has 48 bytes".to_owned());
        }
    }
    for network in &template.networks {
        let password = network.password.as_deref().unwrap_or_default();
        if network.ssid.is_empty()
            || network.ssid.len() > fdo::provision::MAX_SSID_LEN
            || password.len() > fdo::provision::MAX_PASSWORD_LEN
        {
            return malformed(format!("not a wireless network: {:?}", network.ssid));
        }
    }
    match Program::new(ProgramId([0; 16]), steps(template)) {
        Ok(_) => Ok(()),
        Err(fault) => malformed(fault.to_string()),
    }
}

/// First the device attests, then it gets its certificate and its configuration, and all else after that: nothing secret goes
/// to a device that did not prove what it runs, where that is asked.
fn steps(template: &api::OnboardingTemplate) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut add = |action, required| steps.push(Step { action, required });
    let ours = |id| Action::Custom { module: MODULE.to_owned(), id };
    let must_attest = template.require != api::OnboardingRequirement::Nothing;
    add(ours(ATTEST), must_attest);
    add(Action::Csr, template.certificate_required);
    add(ours(PROVISION), must_attest);
    for (number, file) in template.downloads.iter().enumerate() {
        add(Action::Download { content: ObjectId(number as u64), name: file.name.clone() }, file.required);
    }
    for fetch in &template.fetches {
        let sha384 = fetch.sha384.as_ref().and_then(|hash| hash.0.as_slice().try_into().ok());
        let fetched = Fetch { url: fetch.url.clone(), name: fetch.name.clone(), sha384 };
        add(Action::Wget(fetched), fetch.required);
    }
    for (number, command) in template.commands.iter().enumerate() {
        let order = Order {
            program: command.program.clone(),
            arguments: command.arguments.clone(),
            may_fail: command.may_fail,
            wants_stdout: true,
            wants_stderr: true,
        };
        let place = |stream: u64| Some(ObjectId(COMMANDS + 2 * number as u64 + stream));
        let (stdout, stderr) = (place(0), place(1));
        add(Action::Command { order, stdout, stderr, max_output: MAX_OUTPUT }, !command.may_fail);
    }
    for (number, upload) in template.uploads.iter().enumerate() {
        let action = Action::Upload {
            name: upload.name.clone(),
            into: ObjectId(UPLOADS + number as u64),
            needs_hash: true,
            max_len: upload.max_bytes,
        };
        add(action, upload.required);
    }
    steps
}

/// First number of output of commands.
pub(super) const COMMANDS: u64 = 1 << 16;
/// First number of uploads.
pub(super) const UPLOADS: u64 = 1 << 17;

impl Plan {
    /// The name of the file that what arrives under a number goes to.
    pub(super) fn file_name(&self, id: ObjectId) -> Option<String> {
        let upload = id.0.checked_sub(UPLOADS).and_then(|number| usize::try_from(number).ok());
        if let Some(upload) = upload {
            return self.template.uploads.get(upload).map(|upload| upload.name.clone());
        }
        let stream = id.0.checked_sub(COMMANDS)?;
        let word = if stream % 2 == 0 { "stdout" } else { "stderr" };
        Some(format!("command-{}.{word}", stream / 2))
    }
}
