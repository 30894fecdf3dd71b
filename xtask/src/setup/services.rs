//! Packages that bring a daemon start it when they are installed. Nobody asked for that here: a proxy and a relay on
//! this machine's addresses.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use anyhow::Context;

use crate::shell::{command, has, output, say};

/// Debian's policy file: consulted before any service is started (exit code 101: forbidden).
const POLICY: &str = "/usr/sbin/policy-rc.d";
const FORBID: &str =
    "#!/bin/sh\n# While cargo xtask setup installs packages. Left behind? Remove it.\nexit 101\n";

/// While this lives no package starts its service; afterwards those installed are also kept from starting at boot.
pub(crate) struct ServicesStayOff {
    policy_is_ours: bool,
    services: Vec<&'static str>,
}

impl ServicesStayOff {
    /// Before `packages` are installed.
    pub(crate) fn while_installing(packages: &[&'static str]) -> anyhow::Result<Self> {
        let with_service = ["kamailio", "rtpengine-daemon"];
        let services: Vec<_> = packages
            .iter()
            .copied()
            .filter(|name| with_service.contains(name))
            .collect();
        let policy_is_ours = !services.is_empty() && !Path::new(POLICY).exists();
        if policy_is_ours {
            fs::write(POLICY, FORBID).with_context(|| format!("writing {POLICY}"))?;
            fs::set_permissions(POLICY, fs::Permissions::from_mode(0o755))?;
        }
        Ok(Self {
            policy_is_ours,
            services,
        })
    }
}

impl Drop for ServicesStayOff {
    fn drop(&mut self) {
        if self.policy_is_ours {
            let _ = fs::remove_file(POLICY);
        }
        if !has("systemctl") {
            return;
        }
        for service in &self.services {
            if output(command("systemctl").args(["disable", "--quiet", service])).is_some() {
                say(&format!(
                    "{service} is installed for the tests and not enabled as a service"
                ));
            }
        }
    }
}
