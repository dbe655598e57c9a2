// A sensor filter without libc: median of five, then a first-order low pass in f32. State lives in the module.
// Exports: reset(), feed(raw) -> filtered value in 1/100 degree, rejected() -> number of outliers, step(raw, samples).
#define EXPORT(name) __attribute__((export_name(name)))

enum { WINDOW = 5 };

static int window[WINDOW];
static int filled;
static int next;
static float level;
static int outliers;

static int median(void) {
  int sorted[WINDOW];
  for (int i = 0; i < filled; i++) {
    int value = window[i];
    int j = i;
    for (; j > 0 && sorted[j - 1] > value; j--) sorted[j] = sorted[j - 1];
    sorted[j] = value;
  }
  return sorted[filled / 2];
}

EXPORT("reset") void reset(void) {
  filled = 0;
  next = 0;
  level = 0.0f;
  outliers = 0;
}

EXPORT("feed") int feed(int raw) {
  const float alpha = 0.25f;
  window[next] = raw;
  next = (next + 1) % WINDOW;
  if (filled < WINDOW) filled++;
  int middle = median();
  int distance = raw > middle ? raw - middle : middle - raw;
  if (distance > 500) outliers++;
  level = filled == 1 ? (float)middle : level + alpha * ((float)middle - level);
  return (int)(level + 0.5f);
}

EXPORT("rejected") int rejected(void) { return outliers; }

// Feeds a step from 0 to `raw` with an outlier in it; gives what the filter shows after `samples` samples.
EXPORT("step") int step(int raw, int samples) {
  int shown = 0;
  reset();
  for (int i = 0; i < samples; i++) shown = feed(i == samples / 2 ? raw + 5000 : raw);
  return shown;
}
