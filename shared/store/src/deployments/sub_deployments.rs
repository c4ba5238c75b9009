//! What a deployment's children tell about all that is below it.
//!
//! Each deployment keeps the sums over everything below, so that a list shows them without
//! walking down. A change goes up from child to parent together with the status.

/// The assignment that brings a row of `deployments` up to date with its children, by the sums of them that
/// triggers keep (`child_sums`). A child with the label `csys-obj-type=environment` is an environment, any
/// other a service.
pub(crate) const REFRESH: &str = "(sub_services_status, sub_services_count,
         sub_environments_status, sub_environments_count) = (
     with rank (status, place) as (
         values ('good', 1), ('in_progress', 2), ('requires_attention', 3)),
     sums (services, service_count, environments, environment_count) as (
         select
             max(max(
                 iif(is_environment, 0, (select place from rank where status = deployment_status)),
                 coalesce((select place from rank where status = sub_services_status), 0))),
             coalesce(sum(sub_services_count + iif(is_environment, 0, children)), 0),
             max(max(
                 iif(is_environment, (select place from rank where status = deployment_status), 0),
                 coalesce((select place from rank where status = sub_environments_status), 0))),
             coalesce(sum(sub_environments_count + iif(is_environment, children, 0)), 0)
         from child_sums c
         where c.tenant_name = deployments.tenant_name and c.parent_id = deployments.id)
     select (select status from rank where place = services), service_count,
         (select status from rank where place = environments), environment_count
     from sums)";
