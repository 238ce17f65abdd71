// A dashboard of the kinds of panels that we use. Grafana fills in what of the options is not said.
import type { Dashboard, FieldConfig, FieldConfigSource, Panel, VariableModel } from "./node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen";
import type * as curves from "./node_modules/@grafana/schema/dist/types/raw/composable/timeseries/panelcfg/x/types.gen";
import type * as grid from "./node_modules/@grafana/schema/dist/types/raw/composable/statushistory/panelcfg/x/types.gen";
import type * as stat from "./node_modules/@grafana/schema/dist/types/raw/composable/stat/panelcfg/x/types.gen";
import type * as table from "./node_modules/@grafana/schema/dist/types/raw/composable/table/panelcfg/x/types.gen";

type Fields<Custom> = Omit<FieldConfigSource, "defaults"> & {
  defaults: Omit<FieldConfig, "custom"> & { custom?: Partial<Custom> };
};

type Kind<Name extends string, Options, Custom> = Omit<Panel, "type" | "options" | "fieldConfig"> & {
  type: Name;
  options?: Partial<Options>;
  fieldConfig: Fields<Custom>;
};

// `definition` is what Grafana itself writes beside `query`. The rest the SDK says of every variable,
// Grafana of one that holds an interval.
type Variable = VariableModel & { definition?: string; auto?: boolean; auto_count?: number; auto_min?: string };

// The SDK still says of tables what Grafana 13 has left behind: a row of sums, which is not shown.
type TableOptions = table.Options & {
  footer: { show: false; countRows: boolean; reducer: string[] };
};

export type PreauDashboard = Omit<Dashboard, "panels" | "templating"> & {
  templating?: { list?: Variable[] };
  panels: Array<
    | Kind<"timeseries", curves.Options, curves.FieldConfig>
    | Kind<"status-history", grid.Options, grid.FieldConfig>
    | Kind<"stat", stat.Options, Record<string, never>>
    | Kind<"table", TableOptions, table.FieldConfig>
  >;
};
