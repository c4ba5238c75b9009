//! Permissions: what a role may hold and an endpoint asks for.
//!
//! Which role holds which is data, changed through `/permissions`; the names are fixed by the API,
//! so here they are an enum and a misspelt one does not compile.

macro_rules! permissions {
    ($($variant:ident = $name:literal,)*) => {
        /// A right that an endpoint asks for, by Conductor's name for it.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[allow(missing_docs, reason = "the names are their documentation")]
        pub enum Permission { $($variant,)* }

        impl Permission {
            /// Every permission, ordered by name.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The name in the API and in the table `permissions`.
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

permissions! {
    Administrators = "administrators",
    AgentCreate = "agent_create",
    AgentGet = "agent_get",
    AgentList = "agent_list",
    AgentReplaceCerts = "agent_replace_certs",
    AgentUpdate = "agent_update",
    AllTenants = "all_tenants",
    AuditLogInject = "audit_log_inject",
    AuditLogTruncate = "audit_log_truncate",
    AuditLogView = "audit_log_view",
    BlueprintDelete = "blueprint_delete",
    BlueprintDownload = "blueprint_download",
    BlueprintGet = "blueprint_get",
    BlueprintList = "blueprint_list",
    BlueprintUpload = "blueprint_upload",
    BrokerCredentials = "broker_credentials",
    BrokerGet = "broker_get",
    BrokerManage = "broker_manage",
    ClusterNodeConfigUpdate = "cluster_node_config_update",
    ClusterStatusGet = "cluster_status_get",
    CommunityContactCreate = "community_contact_create",
    CreateGlobalResource = "create_global_resource",
    CreateToken = "create_token",
    DbNodesGet = "db_nodes_get",
    DeleteToken = "delete_token",
    DeploymentCapabilities = "deployment_capabilities",
    DeploymentCreate = "deployment_create",
    DeploymentDelete = "deployment_delete",
    DeploymentGet = "deployment_get",
    DeploymentGroupCreate = "deployment_group_create",
    DeploymentGroupDelete = "deployment_group_delete",
    DeploymentGroupGet = "deployment_group_get",
    DeploymentGroupList = "deployment_group_list",
    DeploymentGroupUpdate = "deployment_group_update",
    DeploymentList = "deployment_list",
    DeploymentModificationFinish = "deployment_modification_finish",
    DeploymentModificationGet = "deployment_modification_get",
    DeploymentModificationList = "deployment_modification_list",
    DeploymentModificationOutputs = "deployment_modification_outputs",
    DeploymentModificationRollback = "deployment_modification_rollback",
    DeploymentModify = "deployment_modify",
    DeploymentSetSite = "deployment_set_site",
    DeploymentSetVisibility = "deployment_set_visibility",
    DeploymentUpdate = "deployment_update",
    DeploymentUpdateCreate = "deployment_update_create",
    DeploymentUpdateGet = "deployment_update_get",
    DeploymentUpdateList = "deployment_update_list",
    DeploymentUpdateUpdate = "deployment_update_update",
    EventCreate = "event_create",
    EventDelete = "event_delete",
    EventList = "event_list",
    ExecuteGlobalWorkflow = "execute_global_workflow",
    ExecutionCancel = "execution_cancel",
    ExecutionDelete = "execution_delete",
    ExecutionGet = "execution_get",
    ExecutionGroupCancel = "execution_group_cancel",
    ExecutionGroupCreate = "execution_group_create",
    ExecutionGroupGet = "execution_group_get",
    ExecutionGroupList = "execution_group_list",
    ExecutionGroupUpdate = "execution_group_update",
    ExecutionList = "execution_list",
    ExecutionScheduleCreate = "execution_schedule_create",
    ExecutionScheduleGet = "execution_schedule_get",
    ExecutionScheduleList = "execution_schedule_list",
    ExecutionShouldStart = "execution_should_start",
    ExecutionStart = "execution_start",
    ExecutionStatusUpdate = "execution_status_update",
    FileServerAuth = "file_server_auth",
    FilterCreate = "filter_create",
    FilterDelete = "filter_delete",
    FilterGet = "filter_get",
    FilterList = "filter_list",
    FilterUpdate = "filter_update",
    FunctionsEvaluate = "functions_evaluate",
    GetPasswordHash = "get_password_hash",
    GettingStarted = "getting_started",
    IdentityProviderGet = "identity_provider_get",
    InjectToken = "inject_token",
    InterDeploymentDependencyCreate = "inter_deployment_dependency_create",
    InterDeploymentDependencyDelete = "inter_deployment_dependency_delete",
    InterDeploymentDependencyGet = "inter_deployment_dependency_get",
    InterDeploymentDependencyList = "inter_deployment_dependency_list",
    InterDeploymentDependencyUpdate = "inter_deployment_dependency_update",
    LabelsList = "labels_list",
    LdapSet = "ldap_set",
    LdapStatusGet = "ldap_status_get",
    LicenseList = "license_list",
    LicenseRemove = "license_remove",
    LicenseUpload = "license_upload",
    ListToken = "list_token",
    LogBundleCreate = "log_bundle_create",
    LogBundleDelete = "log_bundle_delete",
    LogBundleDownload = "log_bundle_download",
    LogBundleGet = "log_bundle_get",
    LogBundleList = "log_bundle_list",
    LogBundleStatusUpdate = "log_bundle_status_update",
    MaintenanceModeGet = "maintenance_mode_get",
    MaintenanceModeSet = "maintenance_mode_set",
    ManageOthersTokens = "manage_others_tokens",
    ManagerConfigGet = "manager_config_get",
    ManagerConfigPut = "manager_config_put",
    ManagerGet = "manager_get",
    ManagerManage = "manager_manage",
    MetricsCreate = "metrics_create",
    MetricsList = "metrics_list",
    Monitoring = "monitoring",
    NodeDelete = "node_delete",
    NodeInstanceDelete = "node_instance_delete",
    NodeInstanceGet = "node_instance_get",
    NodeInstanceList = "node_instance_list",
    NodeInstanceUpdate = "node_instance_update",
    NodeList = "node_list",
    NodeUpdate = "node_update",
    OperationLease = "operation_lease",
    Operations = "operations",
    OpseraManage = "opsera_manage",
    OpseraRead = "opsera_read",
    OpseraRun = "opsera_run",
    OpseraShell = "opsera_shell",
    PluginDelete = "plugin_delete",
    PluginDownload = "plugin_download",
    PluginGet = "plugin_get",
    PluginList = "plugin_list",
    PluginUpload = "plugin_upload",
    PluginsUpdateCreate = "plugins_update_create",
    PluginsUpdateGet = "plugins_update_get",
    PluginsUpdateList = "plugins_update_list",
    ProviderContextCreate = "provider_context_create",
    ProviderContextGet = "provider_context_get",
    ResourceSetGlobal = "resource_set_global",
    ResourceSetVisibility = "resource_set_visibility",
    SecretCreate = "secret_create",
    SecretDelete = "secret_delete",
    SecretExport = "secret_export",
    SecretGet = "secret_get",
    SecretImport = "secret_import",
    SecretList = "secret_list",
    SecretUpdate = "secret_update",
    SecretsProviderCreate = "secrets_provider_create",
    SecretsProviderCredentials = "secrets_provider_credentials",
    SecretsProviderDelete = "secrets_provider_delete",
    SecretsProviderGet = "secrets_provider_get",
    SecretsProviderList = "secrets_provider_list",
    SecretsProviderUpdate = "secrets_provider_update",
    SetExecutionDetails = "set_execution_details",
    SetExecutionGroupDetails = "set_execution_group_details",
    SetOwner = "set_owner",
    SetPluginUpdateDetails = "set_plugin_update_details",
    SetTimestamp = "set_timestamp",
    SiteCreate = "site_create",
    SiteDelete = "site_delete",
    SiteGet = "site_get",
    SiteList = "site_list",
    SiteUpdate = "site_update",
    SnapshotCreate = "snapshot_create",
    SnapshotDelete = "snapshot_delete",
    SnapshotDownload = "snapshot_download",
    SnapshotGet = "snapshot_get",
    SnapshotList = "snapshot_list",
    SnapshotRestore = "snapshot_restore",
    SnapshotStatusUpdate = "snapshot_status_update",
    SnapshotUpload = "snapshot_upload",
    StatusCatalogueSet = "status_catalogue_set",
    StatusComponentCreate = "status_component_create",
    StatusEventCreate = "status_event_create",
    StatusEventManage = "status_event_manage",
    StatusGet = "status_get",
    StatusReport = "status_report",
    StatusSubscriptionManage = "status_subscription_manage",
    TenantAddGroup = "tenant_add_group",
    TenantAddUser = "tenant_add_user",
    TenantCreate = "tenant_create",
    TenantDelete = "tenant_delete",
    TenantGet = "tenant_get",
    TenantList = "tenant_list",
    TenantListGetData = "tenant_list_get_data",
    TenantRabbitmqCredentials = "tenant_rabbitmq_credentials",
    TenantRemoveGroup = "tenant_remove_group",
    TenantRemoveUser = "tenant_remove_user",
    TenantUpdateGroup = "tenant_update_group",
    TenantUpdateUser = "tenant_update_user",
    TokenGet = "token_get",
    TokenValidate = "token_validate",
    UserCreate = "user_create",
    UserDelete = "user_delete",
    UserGet = "user_get",
    UserGetSelf = "user_get_self",
    UserGroupAddUser = "user_group_add_user",
    UserGroupCreate = "user_group_create",
    UserGroupDelete = "user_group_delete",
    UserGroupGet = "user_group_get",
    UserGroupList = "user_group_list",
    UserGroupRemoveUser = "user_group_remove_user",
    UserGroupUpdate = "user_group_update",
    UserList = "user_list",
    UserSetActivated = "user_set_activated",
    UserToken = "user_token",
    UserUnlock = "user_unlock",
    UserUpdate = "user_update",
    VersionGet = "version_get",
}

impl Permission {
    /// The permission of this name. Roles may also hold names that no endpoint asks for.
    pub fn find(name: &str) -> Option<Self> {
        Self::ALL
            .binary_search_by(|known| known.name().cmp(name))
            .ok()
            .and_then(|at| Self::ALL.get(at).copied())
    }
}

/// The permissions of one caller, as a set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet([u64; WORDS]);

const WORDS: usize = Permission::ALL.len().div_ceil(64);

impl PermissionSet {
    /// Every permission there is: what the first administrator holds.
    pub fn all() -> Self {
        Self([u64::MAX; WORDS])
    }

    /// All of these but one.
    #[must_use]
    pub fn without(mut self, permission: Permission) -> Self {
        let bit = permission as usize;
        if let Some(word) = self.0.get_mut(bit / 64) {
            *word &= !(1 << (bit % 64));
        }
        self
    }

    /// Adds one.
    pub fn insert(&mut self, permission: Permission) {
        let bit = permission as usize;
        if let Some(word) = self.0.get_mut(bit / 64) {
            *word |= 1 << (bit % 64);
        }
    }

    /// Adds all of another set.
    pub fn extend(&mut self, other: &Self) {
        for (word, more) in self.0.iter_mut().zip(other.0) {
            *word |= more;
        }
    }

    /// Whether it is in the set.
    pub fn contains(&self, permission: Permission) -> bool {
        let bit = permission as usize;
        self.0
            .get(bit / 64)
            .is_some_and(|word| word & (1 << (bit % 64)) != 0)
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<T: IntoIterator<Item = Permission>>(permissions: T) -> Self {
        let mut set = Self::default();
        permissions
            .into_iter()
            .for_each(|permission| set.insert(permission));
        set
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_permission_is_found_by_its_name() {
        for permission in Permission::ALL {
            assert_eq!(Permission::find(permission.name()), Some(*permission));
        }
        assert_eq!(Permission::find("blueprint_paint"), None);
    }

    #[test]
    fn a_set_holds_what_was_put_in() {
        let set: PermissionSet = [Permission::Administrators, Permission::VersionGet]
            .into_iter()
            .collect();
        assert!(set.contains(Permission::VersionGet));
        assert!(!set.contains(Permission::BlueprintUpload));
        assert!(PermissionSet::all().contains(Permission::BlueprintUpload));
    }
}
