// A panel of a dashboard, drawn by Grafana's own component from what a Prometheus answered (data.json).
import React from 'react';
import { createRoot } from 'react-dom/client';
import { createTheme, dateTime, FieldType, getDisplayProcessor, ThemeContext, toDataFrame } from '@grafana/data';
import { TimeSeries } from '@grafana/ui';
import data from './data.json';

const theme = createTheme({ colors: { mode: 'dark' } });
const { defaults, overrides } = data.panel.fieldConfig;

// What Grafana makes of defaults and overrides by name.
function configOf(name) {
  const config = { ...defaults, links: [], displayName: name, custom: { ...defaults.custom } };
  for (const { matcher, properties } of overrides) {
    if (matcher.id !== 'byName' || matcher.options !== name) continue;
    for (const { id, value } of properties) {
      if (id.startsWith('custom.')) config.custom[id.slice('custom.'.length)] = value;
      else config[id] = value;
    }
  }
  return config;
}

const frames = data.lines.map(({ name, points }) => {
  const frame = toDataFrame({
    name,
    fields: [
      { name: 'Time', type: FieldType.time, values: points.map(([at]) => at), config: {} },
      { name, type: FieldType.number, values: points.map(([, value]) => value), config: configOf(name) },
    ],
  });
  for (const field of frame.fields) field.display = getDisplayProcessor({ field, theme, timeZone: 'utc' });
  return frame;
});

const times = data.lines[0].points.map(([at]) => at);
const from = dateTime(times[0]);
const to = dateTime(times[times.length - 1]);
const panel = {
  background: theme.colors.background.primary,
  border: `1px solid ${theme.colors.border.weak}`,
  borderRadius: 4,
  padding: 12,
  width: 900,
  font: `12px ${theme.typography.fontFamily}`,
  color: theme.colors.text.primary,
};

createRoot(document.getElementById('root')).render(
  <ThemeContext.Provider value={theme}>
    <div style={panel}>
      <div style={{ fontSize: 14, fontWeight: 500, marginBottom: 8 }}>{data.panel.title}</div>
      <TimeSeries
        frames={frames}
        width={874}
        height={300}
        timeRange={{ from, to, raw: { from, to } }}
        timeZone="utc"
        legend={data.panel.options.legend}
      />
    </div>
  </ThemeContext.Provider>
);
