// A dashboard of the kinds of panels that we use. Grafana fills in what of the options is not said.
import type { Dashboard, FieldConfig, FieldConfigSource, Panel } from "@grafana/schema/dist/types/raw/dashboard/x/types.gen";
import type * as curves from "@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen";
import type * as grid from "@grafana/schema/dist/types/raw/composable/statushistory/panelcfg/x/types.gen";
import type * as stat from "@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen";
import type * as table from "@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen";

type Fields<Custom> = Omit<FieldConfigSource, "defaults"> & {
  defaults: Omit<FieldConfig, "custom"> & { custom?: Partial<Custom> };
};

type Kind<Name extends string, Options, Custom> = Omit<Panel, "type" | "options" | "fieldConfig"> & {
  type: Name;
  options?: Partial<Options>;
  fieldConfig: Fields<Custom>;
};

export type PreauDashboard = Omit<Dashboard, "panels"> & {
  panels: Array<
    | Kind<"timeseries", curves.Options, curves.FieldConfig>
    | Kind<"status-history", grid.Options, grid.FieldConfig>
    | Kind<"stat", stat.Options, Record<string, never>>
    | Kind<"table", table.Options, table.FieldConfig>
  >;
};
