/* A Kalman filter with state (position, velocity, acceleration) and two sensors, general small matrices in loops. The
 * including file defines `real` and MIX. */
#include "bench.h"

#define STATES 3
#define SENSORS 2

static real x[STATES], P[STATES][STATES];
static const real F[STATES][STATES] = {{1, (real)0.02, (real)0.0002}, {0, 1, (real)0.02}, {0, 0, 1}};
static const real H[SENSORS][STATES] = {{1, 0, 0}, {0, 0, 1}};
static const real Q[STATES] = {(real)0.0001, (real)0.001, (real)0.01};
static const real R[SENSORS] = {(real)0.25, (real)0.5};

static const real pushes[2] = {(real)0.5, (real)-0.5};

static void predict(void)
{
    real nx[STATES], FP[STATES][STATES];
    for (int i = 0; i < STATES; i++) {
        nx[i] = 0;
        for (int k = 0; k < STATES; k++) nx[i] += F[i][k] * x[k];
        for (int j = 0; j < STATES; j++) {
            real t = 0;
            for (int k = 0; k < STATES; k++) t += F[i][k] * P[k][j];
            FP[i][j] = t;
        }
    }
    for (int i = 0; i < STATES; i++) {
        x[i] = nx[i];
        for (int j = 0; j < STATES; j++) {
            real t = i == j ? Q[i] : 0;
            for (int k = 0; k < STATES; k++) t += FP[i][k] * F[j][k];
            P[i][j] = t;
        }
    }
}

static void correct(const real *z)
{
    real PHt[STATES][SENSORS], S[SENSORS][SENSORS], K[STATES][SENSORS], y[SENSORS];
    for (int i = 0; i < STATES; i++) {
        for (int s = 0; s < SENSORS; s++) {
            real t = 0;
            for (int k = 0; k < STATES; k++) t += P[i][k] * H[s][k];
            PHt[i][s] = t;
        }
    }
    for (int s = 0; s < SENSORS; s++) {
        y[s] = z[s];
        for (int k = 0; k < STATES; k++) y[s] -= H[s][k] * x[k];
        for (int t = 0; t < SENSORS; t++) {
            S[s][t] = s == t ? R[s] : 0;
            for (int k = 0; k < STATES; k++) S[s][t] += H[s][k] * PHt[k][t];
        }
    }
    real inverse = (real)1 / (S[0][0] * S[1][1] - S[0][1] * S[1][0]);
    for (int i = 0; i < STATES; i++) {
        K[i][0] = (PHt[i][0] * S[1][1] - PHt[i][1] * S[1][0]) * inverse;
        K[i][1] = (PHt[i][1] * S[0][0] - PHt[i][0] * S[0][1]) * inverse;
        x[i] += K[i][0] * y[0] + K[i][1] * y[1];
    }
    for (int i = 0; i < STATES; i++)
        for (int j = 0; j < STATES; j++) P[i][j] -= K[i][0] * PHt[j][0] + K[i][1] * PHt[j][1];
}

u32 run(u32 n)
{
    u32 seed = 42, sum = 0;
    real position = 0, velocity = 1;
    for (int i = 0; i < STATES; i++) {
        x[i] = 0;
        for (int j = 0; j < STATES; j++) P[i][j] = 0;
        P[i][i] = 10;
    }
    for (u32 step = 0; step < n; step++) {
        real acceleration = pushes[step / 50 % 2];
        velocity += acceleration * (real)0.02;
        position += velocity * (real)0.02;
        real z[SENSORS] = {
            position + (real)((i32)(next_random(&seed) & 1023) - 512) * (real)(1.0 / 1024),
            acceleration + (real)((i32)(next_random(&seed) & 1023) - 512) * (real)(1.0 / 1024),
        };
        predict();
        correct(z);
        if (step % 8 == 0) sum = MIX(MIX(sum, x[0]), P[0][0]);
    }
    return sum;
}
