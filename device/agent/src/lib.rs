//! The Linux device agent, sextant-agent.
